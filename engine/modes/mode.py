"""How a function is rewritten and run."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Self

from engine.config import config
from engine.errors import ParameterError
from engine.graph import Graph
from engine.rewrite import PIPELINE, Film, optimize
from engine.tiers import Rewritten, Runner

LINKERS = {
    "tiered": "tiered",
    "numpy": "numpy",
    "numba": "numba",
    # Theano's, by what they come to here.
    **dict.fromkeys(("c", "c|py", "c|py_nogc", "cvm", "cvm_nogc"), "tiered"),
    **dict.fromkeys(("py", "vm", "vm_nogc"), "numpy"),
}
OPTIMIZERS: dict[str | None, str | None] = {
    **dict.fromkeys(("fast_run", "fast_compile", "o4", "o3", "o2", "o1", "unsafe"), None),
    "merge": "merge",
    "stabilize": "stabilize",
    "None": "",
    None: "",
}
"""For each optimizer the phase after which it stops: None for the last, "" before the first."""
THEANO_ONLY = frozenset(
    {"fast_run", "fast_compile", "minimum_compile", "unsafe"}
    | {"fusion", "elemwise_fusion", "add_destroy_handler", "AddDestroyHandler"}
    | {"inplace", "inplace_opt", "inplace_elemwise_optimizer", "random_make_inplace"}
    | {"merge1", "merge1.1", "merge1.2", "merge2", "merge3", "uncanonicalize"}
    | {"specialize_device", "ShapeOpt", "BlasOpt", "blas", "blas_opt_inplace", "c_blas"}
    | {"conv_dnn", "conv_gemm", "conv_meta", "cudnn", "cxx_only", "scan", "scanOp_make_inplace"}
)
"""Tags of Theano's that say when it does what here is no matter of rewriting."""
THEANOS_RULES = ("local_", "gpu", "scan_", "use_c_")
"""How the names of Theano's own rules begin, none of which is one of ours."""


def _ours(names: frozenset[str]) -> frozenset[str]:
    """The names without those that only mean something to Theano."""
    return frozenset(n for n in names - THEANO_ONLY if not n.startswith(THEANOS_RULES))


class Mode:
    """How a function is rewritten and run.

    linker: "tiered" runs in NumPy, and natively once `config.compile_after` calls went by;
        "numpy" never compiles; "numba" compiles at the first call.
    optimizer: "fast_run" rewrites by all rules, "stabilize" and "merge" by those up to that
        phase, None by none.  Unlike Theano's, "fast_compile" is as stable as "fast_run".

    Theano's names of both are understood.  Raises ParameterError for others.
    Where `config.strict_rewrites` is set, rules that may hide something are left out too.
    """

    def __init__(self, linker: str | None = None, optimizer: str | None = "default") -> None:
        self.linker = LINKERS[_choice("linker", linker or "tiered", LINKERS)]
        self.optimizer = "fast_run" if optimizer == "default" else optimizer
        _choice("optimizer", self.optimizer, OPTIMIZERS)
        self.included: frozenset[str] = frozenset()
        self.excluded: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        changes = [f".including({name!r})" for name in sorted(self.included)]
        changes += [f".excluding({name!r})" for name in sorted(self.excluded)]
        made = f"{type(self).__name__}(linker={self.linker!r}, optimizer={self.optimizer!r})"
        return made + "".join(changes)

    def including(self, *names: str) -> Self:
        """This mode with rules that were left out: by name, tag or phase.

        Theano's tags and the names of its rules are taken, and change nothing; see THEANO_ONLY.
        """
        return self._changed(self.included.union(names), self.excluded.difference(names))

    def excluding(self, *names: str) -> Self:
        """This mode without some rules: by name, tag or phase; of Theano's names as `including`."""
        return self._changed(self.included.difference(names), self.excluded.union(names))

    def _changed(self, included: frozenset[str], excluded: frozenset[str]) -> Self:
        changed = copy(self)
        changed.included, changed.excluded = included, excluded
        return changed

    def rewrite(self, graph: Graph) -> Film:
        """Rewrite the graph in place; gives the film of it.

        Raises ParameterError where a name that was included or excluded is none.
        """
        stop = OPTIMIZERS[self.optimizer]
        out = _ours(self.excluded)
        if stop == "":
            out |= {phase.name for phase in PIPELINE}
        return optimize(graph, stop_after=stop or None, exclude=out, include=_ours(self.included))

    def runner(self, work: Rewritten) -> Runner:
        """What runs the graph."""
        return Runner(work, {"tiered": config.compile_after, "numba": 0}.get(self.linker))


def _choice(what: str, name: str | None, among: Iterable[str | None]) -> str:
    choices = {str(choice): choice for choice in among}
    if str(name) not in choices:
        raise ParameterError(
            f"There is no {what} {name!r}.", expected=" or ".join(choices), got=str(name)
        )
    return str(name)
