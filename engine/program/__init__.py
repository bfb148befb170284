"""Programs: graph documents made to run."""

from engine.program.program import Program, State

__all__ = ["Program", "State"]
