"""Graph documents: reading, checking, changing and writing them, and the palette of their nodes."""

from engine.document.cards import palette
from engine.document.document import Document, Edge, empty, parse
from engine.document.format import schema

__all__ = ["Document", "Edge", "empty", "palette", "parse", "schema"]
