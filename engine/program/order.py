"""The order in which nodes are built, and the loops that keep some from being built at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

End = tuple[str, str]
"""A node and one of its ports."""


def sort(
    nodes: Iterable[str], wires: Mapping[str, Mapping[str, End]]
) -> tuple[list[str], dict[str, list[str]]]:
    """Nodes after those that they read; and of the rest, for each the stuck nodes that it reads."""
    waits = {n: len(wires.get(n, ())) for n in nodes}
    readers: dict[str, list[str]] = {}
    for target, ports in wires.items():
        for source, _ in ports.values():
            readers.setdefault(source, []).append(target)
    order = [n for n, count in waits.items() if count == 0]
    for node in order:
        for reader in readers.get(node, ()):
            waits[reader] -= 1
            if waits[reader] == 0:
                order.append(reader)
    done = set(order)
    stuck = {n: [s for s, _ in wires[n].values() if s not in done] for n in waits if n not in done}
    return order, stuck


def loops(stuck: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Loops among the stuck nodes, each in the direction of its wires; at least one for each that
    keeps other nodes from being built."""
    found: list[list[str]] = []
    seen: set[str] = set()
    for start in stuck:
        path: dict[str, None] = {}
        node = start
        while node not in seen and node not in path:
            path[node] = None
            node = stuck[node][0]
        if node in path:
            members = list(path)
            found.append(members[members.index(node) :][::-1])
        seen.update(path)
    return found
