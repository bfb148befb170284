"""The native target for processors: kernels as object code, kept on disk."""
