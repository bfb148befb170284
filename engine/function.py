"""From expressions to something that can be called."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arguments import DEFAULT, In, Out, Parameter, Signature
from engine.config import config
from engine.errors import (
    MissingInputError,
    ParameterError,
    TypeMismatchError,
    UnusedInputError,
)
from engine.expression import Variable, as_variable, leaves, substitute
from engine.graph import Graph
from engine.modes import Mode, get_mode
from engine.profile import ProfileStats
from engine.rewrite import Film
from engine.shared import Container, Hold, SharedVariable, read, write
from engine.tiers import Rewritten, Runner
from engine.updates import Pairs, assignments, default_updates, next_value, replacements

if TYPE_CHECKING:
    from engine.codegen.native import KernelInfo

Array = np.ndarray[Any, Any]
Outputs = Variable | Out | Sequence[Variable | Out] | Mapping[str, Variable | Out] | None


def function(
    inputs: Sequence[Variable | In],
    outputs: Outputs = None,
    mode: Mode | str | None = None,
    updates: Pairs = None,
    givens: Pairs = None,
    no_default_updates: bool | Sequence[SharedVariable] = False,
    accept_inplace: bool = False,
    name: str | None = None,
    rebuild_strict: bool = True,
    allow_input_downcast: bool | None = None,
    profile: bool | str | ProfileStats | None = None,
    on_unused_input: str | None = None,
) -> Function:
    """A callable that computes `outputs` from `inputs` and then applies `updates`.

    inputs: variables, or In for one with a default, an update or other wishes.
    outputs: one variable (a call gives its value), a list (a list), a dict (a dict) or None
        (an empty list); Out in place of a variable permits to borrow its value.
    mode: how it is rewritten and run, a Mode or the name of one; by default `config.mode`.
        "FAST_RUN" runs in NumPy and compiles its kernels once it was called
        `config.compile_after` times; "FAST_COMPILE" and "NUMPY" never compile; "NUMBA" compiles
        at the first call.  The rewrites are the same in all of them.  "NONE" rewrites nothing
        and never compiles; "DEBUG" checks every rewrite, op and kernel while it runs.
    updates: pairs (shared variable, expression of its next value).  All are computed from the
        old values, as the outputs are, and take effect together at the end of the call.
    givens: pairs (variable, expression to use in its place), all replaced at once, in outputs
        and updates.
    no_default_updates: True, or the shared variables whose `default_update` is left out.
    accept_inplace: for Theano's sake; an expression never changes its inputs.
    rebuild_strict: whether a given expression must have the type of what it replaces; if not,
        what depends on it may change its type.
    allow_input_downcast: True takes any number for an input, False none that would have to be
        rounded, None only Python floats where an input is of floatX.
    profile: whether to note what calls cost, in `profile`; a text is its title, and functions
        that are given the same ProfileStats share it.
    on_unused_input: "raise", "warn" or "ignore"; by default `config.on_unused_input`.

    Raises UnusedInputError, MissingInputError, ParameterError for a variable that is listed or
    updated twice, and TypeMismatchError for what is no variable, and for an update of another
    type than its shared variable.
    """
    if not isinstance(inputs, list | tuple):
        raise TypeMismatchError(
            "The inputs of a function are a list, even a single one.",
            expected="a list",
            got=repr(inputs),
        )
    ins = [given if isinstance(given, In) else In(given) for given in inputs]
    _check_distinct(ins)
    form, outs = _listed(outputs)
    # An input may be an expression: then its value stands for it, and nothing looks behind it.
    variables = [given.variable for given in ins]
    leaf = {v: v if v.owner is None else Variable(v.type, name=v.name) for v in variables}
    replaced = replacements(givens, rebuild_strict)
    inside = substitute(list(replaced.values()), leaf)
    replaced = {**leaf, **dict(zip(replaced, inside, strict=True))}
    assigned = assignments(updates)
    kept = [i for i, given in enumerate(ins) if given.update is not None]
    ends = [next_value(ins[i].variable, ins[i].update, "input") for i in kept]
    computed = [*(as_variable(out.variable) for out in outs), *assigned.values(), *ends]
    computed = substitute(computed, replaced)
    own = default_updates(computed, assigned, replaced, no_default_updates)
    computed += own.values()
    targets: list[SharedVariable | int] = [*assigned, *kept, *own]
    shared = [v for v in leaves(computed) if isinstance(v, SharedVariable)]
    shared = list(dict.fromkeys([*shared, *assigned, *own]))
    written = Graph([*leaf.values(), *shared], computed)
    _check_use(leaf, written, on_unused_input or config.on_unused_input)
    written.check_inputs(lambda v: isinstance(v, SharedVariable))
    recipe = Recipe(
        parameters=tuple(Parameter(given, allow_input_downcast) for given in ins),
        shared=tuple(shared),
        written=written,
        targets=tuple(targets),
        form=form,
        borrowed=tuple(out.borrow for out in outs),
        name=name,
        mode=get_mode(mode),
    )
    return Function(recipe, _stats(profile, name))


@dataclass(frozen=True)
class Recipe:
    """What a function is made from, also when it comes back from a pickle.

    written: the graph before rewriting, from the parameters' variables and the shared ones to
        the results and then the new values of `targets`.
    targets: shared variables that are updated, and numbers of parameters whose container is.
    form: "one", "list", or the keys of a dict.  borrowed: for each result whether it may be.
    """

    parameters: tuple[Parameter, ...]
    shared: tuple[SharedVariable, ...]
    written: Graph
    targets: tuple[SharedVariable | int, ...]
    form: str | list[str]
    borrowed: tuple[bool, ...]
    name: str | None
    mode: Mode


@dataclass(frozen=True)
class Maker:
    """What Theano's tools look at: the rewritten graph, and how it was made."""

    fgraph: Graph
    mode: Mode
    inputs: list[Variable]
    outputs: list[Variable]


class Function:
    """A compiled function; made by `function`.

    inputs, shared: the variables that calls give, and those whose values are there.
    updated: those that have a new value after each call.
    graph: the rewritten graph, first the outputs, then the next values of shared variables.
    film: the rewrites that led to it, step by step.
    profile: what calls have cost, if that is noted.
    trust_input: whether arguments are taken as they are: arrays of the right types.

    Calls may come from several threads, and from within each other: no update is lost, and
    several values are read, and changed, at once.
    """

    def __init__(self, recipe: Recipe, profile: ProfileStats | None = None) -> None:
        started = perf_counter()
        self.recipe = recipe
        self.name = recipe.name
        self.mode = recipe.mode
        self.profile = profile
        self.trust_input = False
        self.inputs = [p.variable for p in recipe.parameters]
        self.shared = list(recipe.shared)
        self.graph = Graph(recipe.written.inputs, recipe.written.outputs)
        self.film: Film = recipe.mode.rewrite(self.graph)
        rewriting = perf_counter() - started
        borrowed = recipe.borrowed + (False,) * len(recipe.targets)
        self._runner: Runner = recipe.mode.runner(
            Rewritten(self.graph, recipe.written, self.film, borrowed, profile)
        )
        self._signature = Signature(recipe.parameters)
        self._results = len(recipe.borrowed)
        self._read = [v.container for v in recipe.shared]
        self._written = [self._container(target) for target in recipe.targets]
        self.updated: list[Variable] = [
            self.inputs[target] if isinstance(target, int) else target for target in recipe.targets
        ]
        if len(set(self._written)) < len(self._written):
            raise ParameterError(f"{self} would update the same value twice.")
        self._hold = Hold(self._written)
        parameters = recipe.parameters
        self._optional = [i for i, p in enumerate(parameters) if p.implicit or not p.required]
        self._pure = not (self._optional or self._read or self._written)
        self._single = recipe.form == "one"
        # How many arguments a call has that needs nothing but to pass them; -1 for none.
        simple = self._signature.is_positional and not isinstance(recipe.form, list)
        self._plain = len(self.inputs) if simple and profile is None else -1
        self._parts: dict[tuple[int, ...], Function] = {}
        if profile is not None:
            profile.made(perf_counter() - started, rewriting)

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        return f"{self.name or 'function'}({self._signature})"

    def __reduce__(self) -> tuple[Any, ...]:
        recipe = replace(self.recipe, name=self.name)
        return _remade, (recipe, self.profile is not None, self.trust_input)

    def __copy__(self) -> Function:
        return self.copy()

    # Calling.

    def __call__(
        self, *args: Any, output_subset: Sequence[int | str] | None = None, **kwargs: Any
    ) -> Any:
        """Compute the outputs and apply the updates.

        Arguments go by position or by the name of the input.  output_subset: the numbers, or
        keys, of the only outputs to compute, which come as a list, or dict; updates are applied
        all the same.

        Raises TypeMismatchError for a value that does not fit its input and ShapeError where
        shapes clash; nothing is updated then.
        """
        if len(args) != self._plain or kwargs or output_subset is not None:
            return self._called(args, kwargs, output_subset)
        values = list(args) if self.trust_input else self._signature.filter(args, self)
        outputs = self._runner(values) if self._pure else self._run(values)
        return outputs[0] if self._single else outputs

    def _called(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], subset: Sequence[int | str] | None
    ) -> Any:
        """A call that needs more than to pass one array for each input."""
        started = perf_counter()
        values = self._signature.sort(args, kwargs, self)
        if not self.trust_input:
            values = self._signature.filter(values, self)
        form = self.recipe.form
        if subset is not None:
            chosen = self._chosen(subset)
            outputs = self._part(chosen)._run(values)
            form = [form[i] for i in chosen] if isinstance(form, list) else "list"
        else:
            outputs = self._run(values)
        if self.profile is not None:
            self.profile.called(perf_counter() - started)
        if form == "one":
            return outputs[0]
        return outputs if form == "list" else dict(zip(form, outputs, strict=True))

    def _run(self, values: list[Any]) -> list[Array]:
        if not self._written:
            return self._runner(self._filled(values))
        with self._hold:
            computed = self._runner(self._filled(values))
            write(self._written, computed[self._results :])
        return computed[: self._results]

    def _filled(self, values: list[Any]) -> list[Array]:
        """The values of the graph's inputs: the arguments, defaults, and what is shared."""
        lacking = [i for i in self._optional if values[i] is DEFAULT]
        if lacking:
            parameters = self._signature.parameters
            held = read([*(parameters[i].container for i in lacking), *self._read])
            for i, value in zip(lacking, held, strict=False):
                values[i] = value
            return values + held[len(lacking) :]
        return values + read(self._read) if self._read else values

    def _chosen(self, subset: Sequence[int | str]) -> tuple[int, ...]:
        keys = self.recipe.form
        known: list[int | str] = [*(keys if isinstance(keys, list) else range(self._results))]
        for key in subset:
            if key not in known:
                raise ParameterError(
                    f"{self} has no output {key!r}.",
                    expected=", ".join(map(str, known)),
                    got=str(key),
                )
        return tuple(known.index(key) for key in subset)

    def _part(self, chosen: tuple[int, ...]) -> Function:
        """The function that computes only some of the outputs."""
        part = self._parts.get(chosen)
        if part is None:
            recipe = self.recipe
            outputs = recipe.written.outputs
            kept = [outputs[i] for i in chosen] + outputs[self._results :]
            smaller = replace(
                recipe,
                written=Graph(recipe.written.inputs, kept),
                borrowed=tuple(recipe.borrowed[i] for i in chosen),
                form="list",
            )
            part = self._parts[chosen] = Function(smaller, self.profile)
        return part

    # What is kept between calls.

    @property
    def container(self) -> Containers:
        """`f.container[x]`: where the value of an input or a shared variable is kept, to be the
        `value` of an In of another function."""
        return Containers(self)

    def __contains__(self, key: object) -> bool:
        return key in self.container

    def __getitem__(self, key: Variable | str) -> Any:
        """The value of a shared variable, or the one that an input has if a call gives none."""
        value = self.container[key].value
        return None if value is None else value.copy()

    def __setitem__(self, key: Variable | str, value: Any) -> None:
        held = self._held(key)
        if isinstance(held, SharedVariable):
            held.set_value(value)
            return
        parameter = self.recipe.parameters[held]
        if parameter.required:
            raise TypeMismatchError(
                f"{parameter.label} has no default that could be set.",
                node=parameter.name,
                hint="Give it one when the function is made: In(x, value=…).",
            )
        array = np.array(parameter.filter(value))
        with parameter.container.lock:
            parameter.container.value = array

    def _held(self, key: Variable | str) -> SharedVariable | int:
        """The shared variable, or the number of the input, of that name or that variable."""
        if not self._signature.has(key):
            for v in self.shared:
                if v is key or (isinstance(key, str) and v.name == key):
                    return v
        return self._signature.place(key, self)

    def _container(self, target: SharedVariable | int) -> Container:
        if isinstance(target, int):
            return self.recipe.parameters[target].container
        return target.container

    def get_shared(self) -> list[SharedVariable]:
        """The shared variables that it reads or updates."""
        return list(self.shared)

    def free(self) -> None:
        """Give back the memory that is kept from call to call."""
        self._runner.free()
        self._parts.clear()

    # What it was made from.

    @property
    def maker(self) -> Maker:
        """Its graph and mode, where Theano has them: `f.maker.fgraph.toposort()`."""
        return Maker(self.graph, self.mode, self.inputs, self.graph.outputs[: self._results])

    @property
    def kernels(self) -> list[KernelInfo]:
        """The native kernels of the newest shapes, none while the function runs in NumPy.

        `kernel.lines` tells of each line of a kernel which canvas nodes it is for.
        """
        return self._runner.kernels

    def copy(
        self,
        share_memory: bool = False,
        swap: Mapping[SharedVariable, SharedVariable] | None = None,
        delete_updates: bool = False,
        name: str | None = None,
        profile: bool | str | ProfileStats | None = None,
    ) -> Function:
        """Another function of the same outputs, with defaults of its own.

        share_memory: for Theano's sake; what can be shared is.
        swap: other shared variables to use in place of some of this function's, updates included.
        delete_updates: leave the updates out.

        Raises ParameterError for a shared variable that the function has not, and
        TypeMismatchError where the other is of another type.
        """
        recipe = self.recipe
        swapped: dict[SharedVariable, SharedVariable] = {}
        for old, new in (swap or {}).items():
            if old not in self.shared:
                raise ParameterError(f"{self} has no shared variable {old!r}.", got=repr(old))
            if not isinstance(new, SharedVariable) or new.type != old.type:
                raise TypeMismatchError(
                    f"{old!r} can only be swapped for a shared variable of its type.",
                    node=old.name,
                    expected=str(old.type),
                    got=str(new.type) if isinstance(new, SharedVariable) else repr(new),
                )
            swapped[old] = new
        old_targets = () if delete_updates else recipe.targets
        targets = [t if isinstance(t, int) else swapped.get(t, t) for t in old_targets]
        kept = recipe.written.outputs[: self._results + len(targets)]
        shared = list(dict.fromkeys(swapped.get(v, v) for v in recipe.shared))
        given = recipe.written.inputs[: len(recipe.parameters)]
        made = replace(
            recipe,
            parameters=tuple(p.copy() for p in recipe.parameters),
            shared=tuple(shared),
            written=Graph([*given, *shared], substitute(kept, dict(swapped.items()))),
            targets=tuple(targets),
            name=name or (self.name and f"{self.name} copy"),
        )
        return Function(made, _stats(profile, made.name))


class Containers:
    """The containers of a function by variable or name."""

    def __init__(self, function: Function) -> None:
        self._function = function

    def __getitem__(self, key: Variable | str) -> Container:
        return self._function._container(self._function._held(key))

    def __contains__(self, key: object) -> bool:
        try:
            return isinstance(key, Variable | str) and self[key] is not None
        except TypeMismatchError:
            return False


def _remade(recipe: Recipe, profile: bool, trust_input: bool) -> Function:
    made = Function(recipe, _stats(profile, recipe.name))
    made.trust_input = trust_input
    return made


def _stats(profile: bool | str | ProfileStats | None, name: str | None) -> ProfileStats | None:
    if isinstance(profile, ProfileStats):
        return profile
    if config.profile if profile is None else profile:
        return ProfileStats(profile if isinstance(profile, str) else name)
    return None


# What `function` was given.


def _check_distinct(ins: Sequence[In]) -> None:
    first: dict[Variable, int] = {}
    for i, given in enumerate(ins):
        if first.setdefault(given.variable, i) != i:
            raise ParameterError(
                f"The input {given.variable!r} is listed twice, as number "
                f"{first[given.variable]} and {i}.",
                node=given.variable.name,
            )


def _listed(outputs: Any) -> tuple[str | list[str], list[Out]]:
    """The form in which outputs are returned, and each of them."""
    if outputs is None:
        return "list", []
    if isinstance(outputs, Mapping):
        wrong = next((key for key in outputs if not isinstance(key, str)), None)
        if wrong is not None:
            raise TypeMismatchError(
                "The outputs in a dict are named by texts.", expected="a text", got=repr(wrong)
            )
        return list(outputs), [_output(v) for v in outputs.values()]
    if isinstance(outputs, list | tuple):
        return "list", [_output(v) for v in outputs]
    return "one", [_output(outputs)]


def _output(v: Any) -> Out:
    if isinstance(v, Out):
        return v
    if isinstance(v, list | tuple | Mapping):
        raise TypeMismatchError(
            f"An output is a variable, not a {type(v).__name__} of them.",
            expected="a variable",
            got=repr(v),
            hint="List the outputs one after the other, or join them with T.stack.",
        )
    return Out(as_variable(v))


def _check_use(inputs: Mapping[Variable, Variable], graph: Graph, on_unused_input: str) -> None:
    choices = ("raise", "warn", "ignore")
    if on_unused_input not in choices:
        raise ParameterError(
            f"on_unused_input cannot be {on_unused_input!r}.", expected=" or ".join(choices)
        )
    used = set(graph.leaves())
    for i, (v, leaf) in enumerate(inputs.items()):
        if leaf in used or on_unused_input == "ignore":
            continue
        message = f"Nothing depends on the input {v!r} (number {i})."
        if on_unused_input == "warn":
            warnings.warn(message, stacklevel=3)
            continue
        raise UnusedInputError(
            message, node=v.name, hint="Leave it out, or pass on_unused_input='ignore' or 'warn'."
        )


def evaluated(variable: Variable, values: dict[Variable | str, Any]) -> Any:
    """The value of an expression; its function is made once and kept on the variable."""
    by_name = {v.name: v for v in leaves([variable]) if v.name}
    resolved: dict[Variable, Any] = {}
    for key, value in values.items():
        v = by_name.get(key) if isinstance(key, str) else key
        if v is None:
            raise MissingInputError(f"The expression has no variable {key!r}.", node=str(key))
        resolved[v] = value
    inputs = list(resolved)
    cached = variable.cached
    if not isinstance(cached, Function) or cached.inputs != inputs:
        cached = variable.cached = function(inputs, variable, on_unused_input="ignore")
    return cached(*resolved.values())


Variable.evaluated = evaluated
