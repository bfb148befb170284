"""Convolutions of one signal or one image with another, without batches and channels."""

from functools import partial

from engine.errors import TypeMismatchError
from engine.expression import OPS, Variable
from engine.makers import composed
from engine.op import Example, Param
from engine.ops.convolution import CATEGORY, NUMBERS

MODE = Param(
    "mode",
    "string",
    "full",
    "the result: everything, what needs no zeros at the ends, or as long as in1, from the middle",
    choices=("full", "valid", "same"),
)


def _convolved(rank: int, in1: Variable, in2: Variable, mode: str) -> Variable:
    for port, t in (("in1", in1), ("in2", in2)):
        if t.ndim != rank:
            raise TypeMismatchError(
                f"{port} must have {rank} ax{'e' if rank > 1 else 'i'}s, not {t.ndim} as {t.type}.",
                port=port,
                expected=f"{rank} axes" if rank > 1 else "a vector",
                got=str(t.type),
                hint=f"For batches and channels there is conv{rank}d.",
            )
    lengths = zip(in1.type.shape, in2.type.shape, strict=True)
    if mode == "valid" and any(None not in (n, k) and (n or 0) < (k or 0) for n, k in lengths):
        in1, in2 = in2, in1
    image, filters = (t.dimshuffle("x", "x", *range(rank)) for t in (in1, in2))
    return OPS[f"conv{rank}d"](image, filters, mode).dimshuffle(*range(2, 2 + rank))


for _rank in (1, 2):
    composed(
        f"convolve{_rank}d",
        symbol=f"∗{'¹²'[_rank - 1]}",
        tex=r"{in1} \ast {in2}",
        category=CATEGORY,
        aliases=("convolve",) if _rank == 1 else (),
        doc=("Two signals" if _rank == 1 else "Two images") + " convolved with one another: one "
        "turned around, slid over the other, multiplied and summed at each place.",
        params=(MODE,),
        body=partial(_convolved, _rank),
        dtypes=NUMBERS,
        method=False,
        examples=tuple(
            Example(((6, 5)[-_rank:], (3, 2)[-_rank:]), {"mode": mode})
            for mode in ("full", "valid", "same")
        ),
    )
