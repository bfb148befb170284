"""Theano's `compile.monitormode`."""

from engine.modes import MonitorMode, detect_nan

__all__ = ["MonitorMode", "detect_nan"]
