"""The native target for processors: kernels by Numba, kept on disk as object code."""
