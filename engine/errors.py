"""Every error that a user can meet: one sentence first, then what was expected and what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.linalg import LinAlgError

from engine.config import config

MAX_DETAILS = 4000
"""How many characters of the details travel."""


class EngineError(Exception):
    """An error with an address: the node and port it belongs to, and what to do about it.

    `node` is the id of a canvas node or the name of a variable, `port` the name of one of its
    ports.  `expected` and `got` are short texts, `hint` says what to do.  `call` is the call in
    which it arose, with which the message then begins, `line` the line of the user's program that
    made what went wrong, `details` says more than most want to read: it is shown only if
    `config.exception_verbosity` is "high".
    """

    kind = "error"

    def __init__(
        self,
        message: str,
        *,
        node: str | None = None,
        port: str | None = None,
        expected: str | None = None,
        got: str | None = None,
        hint: str | None = None,
        line: str | None = None,
        details: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.node = node
        self.port = port
        self.expected = expected
        self.got = got
        self.hint = hint
        self.line = line
        self.details = details
        self.call: str | None = None

    def __str__(self) -> str:
        made = f"Made at {self.line}" if self.line else None
        details = self.details if config.exception_verbosity == "high" else None
        return "\n".join(text for text in (self.message, self.hint, made, details) if text)

    def within(self, op: str, arguments: Sequence[str], node: str | None = None) -> EngineError:
        """The same error, naming the call in which it arose, unless it already has an address."""
        if self.node is None:
            self.node = node or op
            self.call = f"{op}({', '.join(arguments)})"
            self.message = f"{self.call}: {self.message}"
            self.args = (self.message,)
        return self

    def of(self, whole: str) -> EngineError:
        """The same error, saying first what it is a part of."""
        self.message = f"{whole}: {self.message}"
        self.args = (self.message,)
        return self

    @property
    def sentence(self) -> str:
        """The message alone, for where the call is plain to see."""
        return self.message.removeprefix(f"{self.call}: ")

    def to_json(self) -> dict[str, Any]:
        """The error as the plain record that travels over the wire.

        The line stays here: it is one of the machine that the engine runs on.
        """
        return {
            "kind": self.kind,
            "message": self.message,
            "node": self.node,
            "port": self.port,
            "expected": self.expected,
            "got": self.got,
            "hint": self.hint,
            "details": self.details and self.details[:MAX_DETAILS],
        }


class TypeMismatchError(EngineError, TypeError):
    """A variable or value has a dtype or rank that does not fit where it is put."""

    kind = "type"


class ShapeError(EngineError, ValueError):
    """Shapes that do not fit together."""

    kind = "shape"


class ParameterError(EngineError, ValueError):
    """A parameter of an op has a value that the op cannot take."""

    kind = "parameter"


class IndexOutOfRangeError(EngineError, IndexError):
    """An index outside its axis, or more of them than there are axes."""

    kind = "index"


class UnusedInputError(EngineError, ValueError):
    """An input of a function on which none of its outputs or updates depends."""

    kind = "unused-input"


class MissingInputError(EngineError, ValueError):
    """A variable that a function needs but that is not among its inputs."""

    kind = "missing-input"


class DisconnectedInputError(EngineError, ValueError):
    """A gradient was asked with respect to a variable that the cost does not depend on."""

    kind = "disconnected"


class NullGradientError(EngineError, TypeError):
    """A gradient was asked through an op that has none."""

    kind = "null-gradient"


class AssertionFailedError(EngineError, AssertionError):
    """A condition that was asserted in the graph does not hold."""

    kind = "assertion"


class TestValueError(EngineError, AttributeError):
    """A variable has no test value where one is needed."""

    kind = "test-value"
    __test__ = False  # pytest is not to take it for a test


class GradientError(EngineError, AssertionError):
    """A gradient that is not what finite differences say."""

    kind = "gradient"


class OpError(EngineError, TypeError):
    """An op record that is incomplete or contradicts itself; raised when it is declared."""

    kind = "op"


class RewriteError(EngineError, RuntimeError):
    """A rewrite rule that is malformed, or a phase that does not come to an end."""

    kind = "rewrite"


class CompileError(EngineError, RuntimeError):
    """A graph that a target cannot compile."""

    kind = "compile"


class UnforeseenError(CompileError):
    """A pass that only NumPy can do: a slice does not lie on its axis as a whole, say.

    No leaf has changed.
    """


class GraphError(EngineError, ValueError):
    """A NetworkX graph that is no expression."""

    kind = "graph"


class LinearAlgebraError(EngineError, LinAlgError):
    """A matrix that is not what an op needs: it is singular, say, or not positive definite."""

    kind = "linear-algebra"


class NonFiniteError(EngineError, ArithmeticError):
    """NaN or infinity where a finite number was needed."""

    kind = "non-finite"


class NanGuardError(NonFiniteError, AssertionError):
    """NaN, infinity or a very big number that a NanGuardMode has found."""


class DebugModeError(EngineError, RuntimeError):
    """What a DebugMode has found to be wrong in the engine or in an op."""

    kind = "debug"


class BadOptimization(DebugModeError):  # noqa: N818 -- Theano's name, as those that follow
    """A rewrite rule that changes a value."""


class BadKernelOutput(DebugModeError):  # noqa: N818
    """A native kernel whose result is not that of the op's NumPy reference."""


class BadDestroyMap(DebugModeError):  # noqa: N818
    """An op that changes its inputs."""


class InvalidValueError(DebugModeError):
    """A result of another rank or shape than the op's record says."""


class DocumentError(EngineError, ValueError):
    """A graph document that cannot be read."""

    kind = "document"


class ProgramError(EngineError, ValueError):
    """A graph document that is well formed but cannot be run as asked."""

    kind = "program"
