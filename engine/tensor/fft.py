"""Theano's `tensor.fft`, where real and imaginary parts are pairs, and NumPy's transforms.

rfft and irfft are Theano's: over all axes but the first, complex numbers as a last axis of two.
All others take and give complex tensors as those of `numpy.fft` do.
"""

from engine.ops.fft import fft, fftn, ifft, ifftn
from engine.ops.rfft import irfft, irfftn, rfft, rfftn

__all__ = ["fft", "fftn", "ifft", "ifftn", "irfft", "irfftn", "rfft", "rfftn"]
