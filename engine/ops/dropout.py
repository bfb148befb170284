"""Dropout: some elements left out at random, so that none is relied on."""

from engine.errors import TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Param, Port
from engine.ops.random import Draw
from engine.ops.random_bits import EXAMPLE_STATE, RNG
from engine.types import FLOATS


def _dropped(rng: Variable, x: Variable, p: float) -> Variable:
    if x.dtype not in FLOATS:
        raise TypeMismatchError(
            f"Dropout scales what stays, which {x.dtype} cannot hold.",
            port="x",
            expected="float16, float32 or float64",
            got=x.dtype,
            hint="Cast it to a float first.",
        )
    lengths = [OPS["shape"](x)[axis] for axis in range(x.ndim)]
    kept = OPS["ge"](Draw(rng, lengths).unit(x.dtype), OPS["cast"](p, x.dtype))
    return OPS["switch"](kept, x / OPS["cast"](1 - p, x.dtype), OPS["cast"](0, x.dtype))


dropout = composed(
    "dropout",
    symbol="⁘",
    category="Random",
    method=False,
    draws=True,
    doc="Elements set to 0 with the chance p, the others scaled so that the mean stays.",
    # Srivastava et al., Dropout, 2014; scaled while training, so that nothing changes afterwards.
    ports=(RNG, Port("x")),
    params=(Param("p", "float", 0.5, "the chance of each element to be left out", min=0, max=1),),
    dtypes=FLOATS,
    examples=(
        Example(draw=lambda rng: [EXAMPLE_STATE, rng.normal(size=(2, 3))], params={"p": 0.3}),
    ),
    body=_dropped,
)
