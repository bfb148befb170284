"""The errors that the server itself adds to those of the engine."""

from __future__ import annotations

from engine.errors import EngineError


class RequestError(EngineError, ValueError):
    """A message or an option that does not keep to its declaration."""

    kind = "request"


class NotFoundError(EngineError, LookupError):
    """A graph, run or gallery name that is not there."""

    kind = "not-found"


class ConflictError(EngineError):
    """An edit made on a revision that is no longer the newest."""

    kind = "conflict"


class StateError(EngineError):
    """A command that does not fit the state that a run is in."""

    kind = "state"


class AccessError(EngineError, PermissionError):
    """A request without the token, or from a page that has no business here."""

    kind = "access"


class BusyError(EngineError):
    """The server is at one of its limits; the same request may pass later."""

    kind = "busy"


class StorageError(EngineError, OSError):
    """The data folder cannot be used or written."""

    kind = "storage"


class FrontEndError(EngineError, OSError):
    """The browser program has not been built, or only in part."""

    kind = "front-end"
