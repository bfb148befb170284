"""Tensors by name as safetensors: bytes that carry numbers and can't carry anything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from app.errors import StorageError

COMPLEX = ".complex"


def pack(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """The safetensors file of some tensors; a complex one is kept as pairs of floats."""
    plain: dict[str, NDArray[Any]] = {}
    for name, tensor in tensors.items():
        whole = np.array(tensor, order="C")
        if whole.dtype.kind == "c":
            halves = "f4" if whole.dtype.itemsize == 8 else "f8"
            plain[name + COMPLEX] = whole.reshape(*whole.shape, 1).view(halves)
        else:
            plain[name] = whole
    return save(plain)


def unpack(data: bytes) -> dict[str, NDArray[Any]]:
    """The tensors of a safetensors file; raises StorageError when it is none."""
    try:
        plain = load(data)
    except SafetensorError as error:
        raise StorageError(f"The stored weights cannot be read: {error}.") from None
    tensors: dict[str, NDArray[Any]] = {}
    for name, tensor in plain.items():
        if name.endswith(COMPLEX):
            whole = tensor.view(f"c{2 * tensor.dtype.itemsize}")
            tensors[name.removesuffix(COMPLEX)] = whole.reshape(tensor.shape[:-1])
        else:
            tensors[name] = tensor
    return tensors
