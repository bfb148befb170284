"""The kinds of nodes besides ops: their ports and settings, declared once.

The checks of a document, the published schema and the palette all read these records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from engine.document.forms import (
    MAX_INTEGER,
    Anything,
    Boolean,
    Choice,
    Either,
    Form,
    Integer,
    Listing,
    Nullable,
    Number,
    Tensor,
    Text,
)
from engine.op import Op, Param, ParamType, Port
from engine.types import DTYPES

MAX_RANK = 8

VALUE = Tensor(MAX_RANK)
"""What people type in as the value of a node."""


@dataclass(frozen=True)
class Setting:
    """A parameter of a kind of node; as an op's Param, but it may be a tensor."""

    name: str
    type: ParamType | Literal["value"]
    default: Any = None
    doc: str = ""
    choices: tuple[str, ...] | None = None
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of node: how it is shown, its ports, its settings, and whether it bears a name."""

    name: str
    label: str
    symbol: str
    category: str
    doc: str
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    settings: tuple[Setting, ...] = ()
    named: bool = False
    needs_name: bool = False
    aliases: tuple[str, ...] = ()


SEED = Param("seed", "int", 0, "another seed draws other numbers", min=0)


def fields_of(op: Op) -> tuple[Param, ...]:
    """What a node of an op can be set to: ports left open, parameters, the seed of its draws."""
    ports = [_field_of(port) for port in op.wired if port.default is not None]
    return (*ports, *op.params, *((SEED,) if op.draws else ()))


def _field_of(port: Port) -> Param:
    kind: ParamType = "float"
    if isinstance(port.default, int):
        kind = "int"
    elif isinstance(port.default, tuple):
        kind = "ints"
    return Param(port.name, kind, port.default, port.doc)


def form_of(param: Param | Setting) -> Form:
    """The form that the values of a parameter have in a document."""
    form = _form_of(param)
    return Nullable(form) if param.default is None else form


def _form_of(param: Param | Setting) -> Form:
    whole = Integer(
        -MAX_INTEGER if param.min is None else int(param.min),
        MAX_INTEGER if param.max is None else int(param.max),
    )
    match param.type:
        case "int":
            return whole
        case "float":
            return Number(param.min, param.max)
        case "bool":
            return Boolean()
        case "axis":
            return Either(Listing(whole, MAX_RANK), Nullable(whole))
        case "ints":
            return Listing(whole, MAX_RANK)
        case "shape":
            return Listing(Nullable(whole), MAX_RANK)
        case "dtype":
            return Choice((*DTYPES, "floatX"))
        case "value":
            return VALUE
        case "index":
            return INDEX
        case "string" if param.choices:
            return Choice(param.choices)
        case "string":
            return Text("a text of at most 200 characters", r"[^\x00-\x1f\x7f]{0,200}")
        case _:
            return Anything()


INDEX = Text(
    "an index for each axis, as in 0, 1:3, ?, ..., new", r"(?:[-0-9:?., ]|new|None){0,200}"
)

OUT = (Port("out"),)
VARIABLES = "Variables"
TRAINING = "Training"
RESULTS = "Results"
DTYPE = Setting("dtype", "dtype", "float64", "the dtype of every element")

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "input", "input", "x", VARIABLES, named=True, outputs=OUT,
            doc="A variable with a dtype and a shape whose value is typed in.",
            aliases=("variable", "placeholder", "data"),
            settings=(
                DTYPE,
                Setting("shape", "shape", (), "the axes: a length, none for any length; "
                        "a length of 1 stretches", min=0),
                Setting("value", "value", None, "the value it has now"),
            ),
        ),
        Kind(
            "constant", "constant", "1", VARIABLES, outputs=OUT,
            doc="A number or tensor that never changes.",
            aliases=("number", "literal"),
            settings=(DTYPE, Setting("value", "value", 0, "the number or tensor")),
        ),
        Kind(
            "shared", "shared variable", "w", VARIABLES, named=True, needs_name=True, outputs=OUT,
            doc="A variable that keeps its value between calls and that updates change.",
            aliases=("weight", "bias", "parameter", "state"),
            settings=(
                DTYPE,
                Setting("value", "value", None, "the value at first, if there is no initialiser"),
                Setting("initialiser", "string", None, "draws the value at first",
                        choices=("zeros", "ones", "normal", "uniform", "glorot")),
                Setting("shape", "ints", (), "the shape that the initialiser fills", min=0),
                Setting("scale", "float", 1.0, "the standard deviation of normal, the bound of "
                        "uniform, a factor for glorot", min=0.0),
                Setting("seed", "int", 0, "another seed draws other numbers", min=0),
            ),
        ),
        Kind(
            "gradient", "gradient", "∂", TRAINING, outputs=OUT,
            doc="The derivative of a scalar cost by a variable, in the shape of that variable.",
            aliases=("grad", "derivative"),
            inputs=(Port("cost", "a scalar"), Port("wrt", "the variable by which")),
        ),
        Kind(
            "update", "update", "←", TRAINING,
            doc="Gives a shared variable a new value after each call.",
            aliases=("assign",),
            inputs=(Port("target", "a shared variable"), Port("value", "its next value")),
        ),
        Kind(
            "optimiser", "optimiser", "⇣", TRAINING,
            doc="Moves shared variables so that the cost falls, a step for each call.",
            aliases=("optimizer", "sgd", "momentum", "adam", "training"),
            inputs=(
                Port("cost", "the scalar that is to fall"),
                Port("learning_rate", "how far one step goes, a scalar"),
                Port("parameters", "shared variables", variadic=True),
            ),
            settings=(
                Setting("rule", "string", "sgd", "how a step follows from the gradient",
                        choices=("sgd", "momentum", "adam")),
                Setting("momentum", "float", 0.9, "momentum: how much of the last step is kept",
                        min=0.0, max=1.0),
                Setting("beta1", "float", 0.9, "adam: memory of the mean gradient",
                        min=0.0, max=1.0),
                Setting("beta2", "float", 0.999, "adam: memory of the mean squared gradient",
                        min=0.0, max=1.0),
                Setting("epsilon", "float", 1e-8, "adam: keeps the step finite", min=0.0, max=1.0),
            ),
        ),
        Kind(
            "output", "output", "out", RESULTS, named=True, needs_name=True,
            doc="A named result of a function.",
            aliases=("result", "return"),
            inputs=(Port("value", "what is returned"),),
        ),
        Kind(
            "probe", "probe", "◉", RESULTS, named=True,
            doc="Shows a value without making it a result.",
            aliases=("show", "print", "inspect"),
            inputs=(Port("value", "what is shown"),),
        ),
    )
}  # fmt: skip
