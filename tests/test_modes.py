"""Modes: what is rewritten and run how, and what DebugMode and its like find."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import engine.tensor as T
from engine import compile, config, function, grad, scan, shared
from engine.compile.debugmode import BadThunkOutput
from engine.errors import (
    BadDestroyMap,
    BadKernelOutput,
    BadOptimization,
    EngineError,
    InvalidValueError,
    NanGuardError,
    NonFiniteError,
    ParameterError,
)
from engine.expression import OPS, Apply, Variable
from engine.ifelse import ifelse
from engine.makers import elementwise
from engine.modes import (
    MODES,
    DebugMode,
    Mode,
    MonitorMode,
    NanGuardMode,
    detect_nan,
    get_default_mode,
    get_mode,
    register_mode,
)
from engine.modes.mode import THEANO_ONLY, THEANOS_RULES
from engine.op import Example, Op, Port
from engine.rewrite import DROPS_ROWS, RULES
from engine.rewrite.phases import canonicalize
from engine.tensor.shared_randomstreams import RandomStreams
from engine.types import TensorType

Array = np.ndarray[Any, Any]


def ops(f: Any) -> list[str]:
    """The ops of a function's rewritten graph."""
    return [node.op.name for node in f.graph.toposort()]


# Names and choices.


@pytest.mark.parametrize("mode", [*MODES, None, Mode(), Mode("py"), Mode("cvm", "None")])
def test_every_mode_computes_the_same(mode: Any) -> None:
    x, s = T.dvector("x"), shared(np.zeros(2))
    f = function([x], T.exp(x).sum() + s, updates=[(s, s + x)], mode=mode)
    for k in range(3):
        assert np.allclose(f([1, 2]), np.e + np.e**2 + k * np.array([1, 2]))


def test_linkers_say_when_kernels_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "compile_after", 1)
    x = T.dvector("x")
    for linker, compiled in [("numba", [True, True]), ("cvm", [False, True]), ("vm", [False] * 2)]:
        f = function([x], x * 2, mode=Mode(linker))
        for expected in compiled:
            f([1])
            assert bool(f.kernels) == expected


def test_optimizers_say_how_far_rewriting_goes() -> None:
    x = T.dvector("x")
    y = T.log(1 + T.exp(x)) + T.log(1 + T.exp(x))
    assert ops(function([x], y, mode=Mode(optimizer=None))).count("exp") == 2
    assert ops(function([x], y, mode=Mode(optimizer="merge"))).count("exp") == 1
    for optimizer in ("fast_run", "fast_compile", "default", "stabilize"):
        assert "softplus" in ops(function([x], y, mode=Mode(optimizer=optimizer)))


def test_rules_can_be_left_out_and_taken_back() -> None:
    x = T.dvector("x")
    y = T.log(1 + T.exp(x))
    without = Mode().excluding("log_of_one_plus_exp", "stabilize")
    assert "softplus" not in ops(function([x], y, mode=without))
    assert "softplus" in ops(function([x], y, mode=without.including("stabilize")))
    assert Mode().excluded == frozenset()
    kept = DebugMode().excluding("fusion", "inplace", "gpu")  # Theano's, no matter of rewriting
    assert function([x], y, mode=kept)([0.0]) == np.log(2)
    assert "excluding('fusion')" in repr(kept)
    with pytest.raises(ParameterError, match="no rule, tag or phase 'nonsense'"):
        function([x], y, mode=Mode().excluding("nonsense"))


def test_fast_compile_is_as_stable_as_fast_run_and_none_is_as_written() -> None:
    x = T.dvector("x")
    y = T.log(1 + T.exp(x)) + (x + 0)
    fast, slow, none = (function([x], y, mode=m) for m in ("FAST_COMPILE", "FAST_RUN", "NONE"))
    assert [step.rule for step in fast.film] == [step.rule for step in slow.film] != []
    assert (ops(none), len(none.film)) == (["exp", "add", "log", "add", "add"], 0)
    assert fast([1000.0]) == slow([1000.0]) == 2000
    assert none([1000.0]) == np.inf
    debug = get_mode("DEBUG")
    assert isinstance(debug, DebugMode)
    assert function([x], y, mode="DEBUG")([0.0]) == np.log(2)


def test_rules_go_and_come_back_by_name_tag_and_phase() -> None:
    x = T.dvector("x")
    y = T.log(1 + T.exp(x)) + (x * x) / x
    everything = Mode()
    for name, gone in (
        ("log_of_one_plus_exp", {"log_of_one_plus_exp"}),
        ("stabilize", {r.name for r in RULES.values() if r.phase == "stabilize"}),
        ("erases_nan", {r.name for r in RULES.values() if "erases_nan" in r.tags}),
    ):
        used = {step.rule for step in function([x], y, mode=everything).film}
        assert used & gone
        without = everything.excluding(name)
        assert not {step.rule for step in function([x], y, mode=without).film} & gone
        back = without.including(name)
        assert {step.rule for step in function([x], y, mode=back).film} == used


def test_names_that_mean_something_only_to_theano_change_nothing() -> None:
    x = T.dvector("x")
    y = T.log(1 + T.exp(x))
    names = ("fast_run", "inplace", "conv_dnn", "local_log_softmax", "scan_save_mem", "gpuarray")
    mode = get_mode("FAST_RUN").including(*names).excluding("local_elemwise_fusion", "ShapeOpt")
    film = function([x], y, mode=mode).film
    assert [step.rule for step in film] == [step.rule for step in function([x], y).film] != []
    assert not any(name.startswith(THEANOS_RULES) or name in THEANO_ONLY for name in RULES)


@pytest.mark.parametrize("mode", ["FAST_RUN", "FAST_COMPILE", "DEBUG"])
def test_strict_functions_hide_nothing(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = T.dvector("x")
    assert function([x], x - x, mode=mode)([np.nan]) == 0
    monkeypatch.setattr(config, "strict_rewrites", True)
    assert np.isnan(function([x], x - x, mode=mode)([np.nan]))


def test_the_default_mode_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_default_mode() is MODES["FAST_RUN"]
    x = T.dvector("x")
    y = T.log(1 + T.exp(x))
    monkeypatch.setattr(config, "optimizer_excluding", "stabilize:specialize")
    assert "softplus" not in ops(function([x], y))
    monkeypatch.setattr(config, "optimizer_including", "log_of_one_plus_exp")
    assert "softplus" in ops(function([x], y))
    monkeypatch.setattr(config, "mode", "NUMBA")
    assert get_default_mode().linker == "numba"
    monkeypatch.setattr(config, "mode", NanGuardMode())
    with pytest.raises(NanGuardError):
        function([x], y)([np.nan])


def test_modes_have_names() -> None:
    mine = Mode("numba")
    register_mode("mine", mine)
    try:
        assert get_mode("mine") is mine is get_mode(mine)
        with pytest.raises(ParameterError, match="already"):
            register_mode("mine", mine)
    finally:
        del MODES["mine"]
    for make in (lambda: get_mode("FASTEST"), lambda: Mode("gcc"), lambda: Mode(optimizer="o9")):
        with pytest.raises(ParameterError, match="There is no"):
            make()


def test_theano_has_them_elsewhere() -> None:
    assert compile.debugmode.DebugMode is compile.DebugMode is DebugMode
    assert compile.nanguardmode.NanGuardMode is NanGuardMode
    assert compile.monitormode.detect_nan is detect_nan
    assert compile.mode.get_default_mode is get_default_mode
    assert compile.mode.FAST_RUN.linker == "tiered"
    assert compile.io.In is compile.In
    assert compile.function is function
    assert compile.sharedvalue.shared is shared
    assert BadThunkOutput is BadKernelOutput
    code = "import engine.compile.nanguardmode; engine.compile.nanguardmode.NanGuardMode"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


# DebugMode.


@pytest.fixture
def wrong_rule() -> Iterator[str]:
    """A law that does not hold, for as long as a test runs."""

    @canonicalize
    def sine_is_itself(x):  # type: ignore[no-untyped-def]
        """It is not, but for a test it will do."""
        return T.sin(x), x

    yield sine_is_itself.name
    del RULES[sine_is_itself.name]


def test_debug_mode_names_the_rule_that_changes_a_value(wrong_rule: str) -> None:
    x = T.dvector("x")
    y = T.exp(T.sin(x)) * 2
    f = function([x], y, mode="DEBUG_MODE")
    assert np.array_equal(f([0.0]), [2])  # where the law holds
    with pytest.raises(
        BadOptimization,
        match=r"(?s)rule sine_is_itself of the phase canonicalize replaced sin\(x\) by x, .*"
        r"at \[1\] was 0\.841.* and is 1\.0.*excluding\('sine_is_itself'\)",
    ) as caught:
        f([0, 1])
    assert isinstance(caught.value, EngineError)
    assert (caught.value.expected, caught.value.got) == ("sin(x)", "x")
    mended = function([x], y, mode=DebugMode().excluding(wrong_rule))
    assert np.array_equal(mended([0, 1]), 2 * np.exp(np.sin([0, 1])))


def test_debug_mode_knows_rounding_and_stabilizing_from_wrong() -> None:
    x, y = T.dvectors("x", "y")
    steep = T.log(1 + T.exp(x))
    cancelled = (x + 1e12) - 1e12
    f = function(
        [x, y],
        [steep, cancelled, x * 0, (x * y) / y, T.softmax(x).sum(), T.log(T.sqr(x))],
        mode=DebugMode(),
    )
    f([1000.0, -1000.0, 0.1], [1e-300, 0.0, np.nan])


def test_debug_mode_leaves_branches_alone_that_are_not_taken() -> None:
    c, x = T.iscalar("c"), T.dvector("x")
    f = function([c, x], ifelse(c, T.log(T.exp(x[5])) * 1, x[0] + 0), mode="DebugMode")
    assert f(0, [7.0]) == 7
    with pytest.raises(IndexError):
        f(1, [7.0])


def test_debug_mode_compares_only_the_rows_that_are_read(wrong_rule: str) -> None:
    x, w, n = T.dvector("x"), T.dscalar("w"), T.iscalar("n")
    (a, b), _ = scan(lambda a, b: [a * w, b + a], outputs_info=[x, x], n_steps=n)
    outputs = [a[-1], b[-2:].sum(), b[-1] - b[-2], grad(a[-1].sum(), w)]
    f = function([x, w, n], outputs, mode="DebugMode")
    assert "keep_last_rows" in {step.rule for step in f.film}
    assert [np.asarray(v).tolist() for v in f([1.0], 2.0, 3)] == [[8], 12, [4], 12]
    outputs = [T.sin(a)[-1], b[-1]]
    with pytest.raises(BadOptimization, match="sine_is_itself"):
        function([x, w, n], outputs, mode="DebugMode")([1.0], 2.0, 3)


@pytest.fixture
def wrong_last_rows() -> Iterator[str]:
    """A law that keeps the wrong rows, for as long as a test runs."""

    @canonicalize(tags=[DROPS_ROWS])
    def sorted_from_the_start(x):  # type: ignore[no-untyped-def]
        """It may be so."""
        return T.sort(x), x

    yield sorted_from_the_start.name
    del RULES[sorted_from_the_start.name]


def test_debug_mode_notices_rows_that_are_wrong(wrong_last_rows: str) -> None:
    x = T.dvector("x")
    last, everything = (function([x], y, mode="DebugMode") for y in (T.sort(x)[-1], T.sort(x)))
    assert last([2.0, 1.0, 3.0]) == 3
    with pytest.raises(BadOptimization, match=rf"{wrong_last_rows} .*the value was 3.0 and is 2"):
        last([1.0, 3.0, 2.0])
    with pytest.raises(BadOptimization, match=rf"{wrong_last_rows} .*value at \[0\] was 1.0"):
        everything([2.0, 1.0, 3.0])


@pytest.fixture
def made() -> Iterator[list[Op]]:
    """The ops that a test declares, which are forgotten after it."""
    before = set(OPS)
    yield []
    for name in set(OPS) - before:
        del OPS[name]


FACTS: dict[str, Any] = {
    "doc": "For a test.",
    "category": "Test",
    "no_grad": "it is for a test",
}


@pytest.mark.usefixtures("made")
def test_debug_mode_names_the_op_whose_kernel_is_wrong() -> None:
    twice = elementwise("twice_for_test", numpy=lambda x: 2 * x, scalar="T(3) * {x}", **FACTS)
    x = T.dvector("x")
    f = function([x], T.exp(twice(x)) + x, mode="DebugMode")
    assert f([0.0]) == 1  # twice 0 is thrice 0
    with pytest.raises(
        BadKernelOutput, match=r"(?s)^twice_for_test\(x\): The kernel .* was 2\.0 and is 3\.0"
    ):
        f([1.0])
    assert function([x], twice(x), mode=DebugMode(check_c_code=False))([1]) == 2


@pytest.mark.usefixtures("made")
def test_debug_mode_names_the_op_that_changes_its_input() -> None:
    def spoil(x: Array) -> Array:
        x += 1
        return x * 2

    op = elementwise("spoil_for_test", numpy=spoil, scalar=None, **FACTS)
    x, s = T.dvector("x"), shared(np.zeros(1), "s")
    f = function([x], op(x * s), mode="DebugMode")
    with pytest.raises(BadDestroyMap, match=r"^spoil_for_test\(.*changed its input"):
        f([1.0])


@pytest.mark.usefixtures("made")
def test_debug_mode_names_the_op_whose_shape_is_not_as_it_says() -> None:
    op = Op(
        name="longer_for_test",
        ports=(Port("x"),),
        infer=lambda x: TensorType(x.dtype, x.shape),
        numpy=lambda x: np.concatenate([x, x]),
        examples=(Example(((2,),)),),
        **FACTS,
    )
    x = T.dvector("x")
    f = function([x], op(x), mode=DebugMode(check_c_code=False))
    with pytest.raises(InvalidValueError, match=r"(?s)longer_for_test\(x\).*\(4,\).*says \(2,\)"):
        f([1.0, 2.0])


# NanGuardMode.


def guarded(y: Variable, inputs: list[Variable], **options: bool) -> Any:
    return function(inputs, y, mode=NanGuardMode(**options))


def test_nan_guard_names_the_first_op_and_what_it_got() -> None:
    x = T.dvector("x")
    f = guarded(T.log(x - 1) * 2, [x])
    assert f([2.0]) == 0
    with pytest.raises(NanGuardError) as caught:
        f([2.0, 0.5, 3.0, -1.0])
    text = str(caught.value)
    assert text.startswith("log(dvector): The result has NaN in 2 of 4 elements, the first at [1].")
    assert "float64 (4,) from -2 to 2" in text
    assert "T.log(x - 1) * 2" in text  # the line that made it
    assert isinstance(caught.value, NonFiniteError)
    assert isinstance(caught.value, AssertionError)


def test_nan_guard_looks_at_what_comes_in() -> None:
    x, s = T.dvector("x"), shared(np.ones(1), "s")
    f = guarded(x * 0 + s, [x])
    with pytest.raises(NanGuardError, match="The input x has NaN in 1 of 1"):
        f([np.nan])
    s.set_value([np.inf])
    with pytest.raises(NanGuardError, match="The input s has infinity"):
        f([1])


def test_nan_guard_says_what_is_an_error() -> None:
    x = T.dscalar("x")
    with pytest.raises(NanGuardError, match="infinity"):
        guarded(1 / x, [x])(0)
    assert guarded(1 / x, [x], inf_is_error=False, big_is_error=False)(0) == np.inf
    with pytest.raises(NanGuardError, match="a number above 1e"):
        guarded(x * x, [x])(1e6)
    assert guarded(x * x, [x], big_is_error=False)(1e6) == 1e12
    assert np.isnan(guarded(T.log(x), [x], nan_is_error=False)(-1))
    n = T.lscalar("n")
    with pytest.raises(NanGuardError, match="a number above 1e"):
        guarded(n * n, [n])(10**6)
    assert guarded(n * n, [n], big_is_error=False)(10**6) == 10**12


def test_nan_guard_leaves_random_streams_alone() -> None:
    draws = RandomStreams(1)
    u = draws.uniform((3,))
    rows, updates = scan(lambda: draws.normal((2,)), n_steps=3)
    f = function([], [u, rows], updates=updates, mode="NanGuardMode")
    first, second = f(), f()
    assert all((a != b).all() for a, b in zip(first, second, strict=True))


def test_nan_guard_knows_complex_bool_and_empty_values() -> None:
    z, b = T.zvector("z"), T.TensorType("bool", (None,))("b")
    assert guarded(z * 2, [z])([]).shape == (0,)
    assert guarded(T.invert(b), [b])([True]) == [False]
    with pytest.raises(NanGuardError, match="infinity in 1 of 2"):
        guarded(T.exp(z), [z])([1, 1000])


def test_nan_guard_stops_before_updates() -> None:
    x, s = T.dscalar("x"), shared(1.0)
    f = function([x], updates=[(s, T.log(x))], mode="NanGuardMode")
    with pytest.raises(NanGuardError):
        f(-1)
    assert s.get_value() == 1


# MonitorMode.


def test_monitor_sees_every_step_with_its_values() -> None:
    x = T.dvector("x")
    seen: list[tuple[Any, ...]] = []

    def before(i: int, node: Apply, fn: Any) -> None:
        seen.append((i, node.op.name, [v[0].tolist() for v in fn.inputs], fn.outputs[0][0]))

    def after(i: int, node: Apply, fn: Any) -> None:
        seen.append((i, node.op.name, fn.outputs[0][0].tolist()))

    f = function([x], T.sum(T.exp(x)), mode=MonitorMode(pre_func=before, post_func=after))
    f([0.0, 0.0])
    assert seen == [
        (0, "exp", [[0, 0]], None),
        (0, "exp", [1, 1]),
        (1, "sum", [[1, 1]], None),
        (1, "sum", 2),
    ]


def test_detect_nan_prints_where_nan_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    x = T.dscalar("x")
    mode = MonitorMode(post_func=detect_nan).excluding("local_elemwise_fusion", "inplace")
    f = function([x], [T.log(x) * x], mode=mode)
    f(0)  # log(0) * 0
    said = capsys.readouterr().out
    assert said.count("*** NaN detected ***") == 1
    assert "mul" in said
    assert "Inputs : [" in said
    f(1)
    assert capsys.readouterr().out == ""


def test_monitor_sees_only_the_branch_that_is_taken() -> None:
    c, x = T.iscalar("c"), T.dscalar("x")
    seen: list[str] = []
    mode = MonitorMode(post_func=lambda i, node, fn: seen.append(node.op.name))
    f = function([c, x], ifelse(c, T.exp(x), T.sin(x)), mode=mode)
    f(1, 0)
    assert seen == ["exp", "ifelse"]
