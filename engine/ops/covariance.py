"""How variables vary together."""

from engine.errors import TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import cast_to, composed
from engine.op import Example, Param
from engine.types import EVERY


def _cov(m: Variable, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Variable:
    if m.ndim not in (1, 2):
        raise TypeMismatchError(
            "A covariance is of the rows or columns of a matrix.",
            port="m",
            expected="a vector or matrix",
            got=str(m.type),
        )
    rows = m.dimshuffle("x", 0) if m.ndim == 1 else m if rowvar else m.T
    centred = rows - OPS["mean"](rows, axis=1, keepdims=True)
    lost = ddof if ddof is not None else 0 if bias else 1
    freedom = OPS["count"](rows, axis=(1,)) - lost
    products = OPS["dot"](centred, OPS["conj"](centred).T)
    matrix = products / cast_to(freedom, products.dtype)
    return matrix[0, 0] if m.ndim == 1 else matrix


cov = composed(
    "cov",
    symbol="Cov",
    category="Reductions",
    doc="The covariances of the rows of a matrix, each a variable; of a vector its variance.",
    params=(
        Param("rowvar", "bool", True, "whether variables are rows, not columns"),
        Param("bias", "bool", False, "divide by the number of observations, not by one less"),
        Param("ddof", "int", None, "what is taken off the number of observations"),
    ),
    dtypes=EVERY,
    examples=(
        Example(((3, 4),)),
        Example(((4, 3),), {"rowvar": False, "bias": True}),
        Example(((4,),), {"ddof": 0}),
    ),
    body=_cov,
)
