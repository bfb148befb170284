"""What a document comes to: its typed expressions, and what is wrong with the rest."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.document import Document
from engine.errors import EngineError
from engine.expression import Variable
from engine.program.order import End
from engine.program.values import Array
from engine.training.optimisers import Memory

VALUE = "value"
"""The pseudo-port of what a node without out ports reads."""


@dataclass(frozen=True)
class Stream:
    """What a node draws on: the state, as a leaf, and the next one; seed is the node's own."""

    state: Variable
    following: Variable
    seed: int


@dataclass
class Expressions:
    """What could be built of a document.

    variables: the expression at each out port, and at the pseudo-port "value" of the nodes that
        have none.
    inputs, shared: the leaves, by node.  data: the typed-in values of inputs and shared nodes.
    updates: by update or optimiser node, the next values of shared leaves and memories.
    memories: what optimisers keep, by its id in the state.  streams: what random nodes draw on, by
        its id in the state.
    errors: by node, what is wrong with it.  waiting: by node, the node that it waits for.
    widened: the out ports whose dtype is wider than anybody asked for.
    order: the nodes that are in no loop, each after those that it reads.
    """

    document: Document
    order: list[str] = field(default_factory=list)
    wires: dict[str, dict[str, End]] = field(default_factory=dict)
    variables: dict[End, Variable] = field(default_factory=dict)
    inputs: dict[str, Variable] = field(default_factory=dict)
    shared: dict[str, Variable] = field(default_factory=dict)
    data: dict[str, Array] = field(default_factory=dict)
    updates: dict[str, dict[Variable, Variable]] = field(default_factory=dict)
    memories: dict[str, Memory] = field(default_factory=dict)
    streams: dict[str, Stream] = field(default_factory=dict)
    errors: dict[str, EngineError] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    widened: set[End] = field(default_factory=set)

    def label(self, node: str) -> str:
        """What a node is called in a sentence: its name, its op or kind, else its id."""
        record = self.document.nodes.get(node, {})
        return str(record.get("name") or record.get("op") or record.get("kind") or node)

    def warn(self, node: str, message: str) -> None:
        """Add to what the node should tell without being wrong."""
        self.warnings.setdefault(node, []).append(message)

    def leaf(self, key: str) -> Variable:
        """The leaf whose value is kept under this key of the state."""
        if key in self.streams:
            return self.streams[key].state
        memory = self.memories.get(key)
        return self.shared[key] if memory is None else memory.variable

    def root(self, node: str) -> str:
        """The node whose error keeps this one from being built."""
        while node in self.waiting and node not in self.errors:
            node = self.waiting[node]
        return node
