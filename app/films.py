"""The films that are open: how the functions of graphs are rewritten, kept to be looked at."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from app.errors import BusyError, NotFoundError
from app.graphs import OpenGraph
from app.storage.database import new_id
from engine.program import Program
from engine.rewrite import Film, optimize

MAX_OPEN = 16
MAX_NODES = 500_000
"""Nodes of all open films together, those that came and went too."""
SECONDS = 5.0
"""How long a graph is rewritten at most; the film says so where that was not enough."""
AT_ONCE = 2
PATIENCE = 20.0


@dataclass(frozen=True)
class Wish:
    """Which film is wanted: of which function, and with which laws; see engine.rewrite.optimize."""

    function: str | None = None
    strict: bool | None = None
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    stop_after: str | None = None


@dataclass(frozen=True)
class OpenFilm:
    """One film in memory.

    revision: of the document that it is of.  function: of which it is.
    lock: to be held while the film is looked at, which winds it.
    """

    film_id: str
    graph_id: str
    revision: int
    program: Program
    function: str
    film: Film
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def nodes(self) -> int:
        """How many nodes it keeps."""
        return sum(
            len(part.frame(0).nodes) + sum(len(step.nodes) for step in part)
            for _, part in self.film.films()
        )


class Films:
    """The films of a server that were opened last.

    Rewriting holds no lock that anybody else waits for, and only a few graphs are rewritten at a
    time.
    """

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, Wish], tuple[OpenFilm, int]] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def open(self, graph: OpenGraph, wish: Wish) -> OpenFilm:
        """The film of a graph as it is now: the one that is open, or else a new one.

        Raises ProgramError where there is nothing to rewrite, ParameterError for the name of a
        law that there is none of, and BusyError when too many want films.
        """
        with graph.lock:
            program, revision = graph.program, graph.revision
        known = self._known(graph.graph_id, wish, program, revision)
        if known is not None:
            return known
        if not self._turns.acquire(timeout=PATIENCE):
            raise BusyError(
                "The server is rewriting other graphs.", hint="Try again in a few seconds."
            )
        try:
            # It may have been made while this one waited.
            known = self._known(graph.graph_id, wish, program, revision)
            if known is not None:
                return known
            function = program.chosen(wish.function)
            film = optimize(
                program.graph(function),
                stop_after=wish.stop_after,
                exclude=wish.exclude,
                include=wish.include,
                strict=program.strict if wish.strict is None else wish.strict,
                seconds=SECONDS,
            )
        finally:
            self._turns.release()
        made = OpenFilm(new_id(), graph.graph_id, revision, program, function, film)
        return self._keep(wish, made)

    def get(self, film_id: str) -> OpenFilm:
        """The open film of an id; NotFoundError when it is not open any more."""
        with self._lock:
            for key, (film, _) in self._open.items():
                if film.film_id == film_id:
                    self._open.move_to_end(key)
                    return film
        raise NotFoundError("This film is not open any more.", hint="Open the film of the graph.")

    def forget(self, graph_id: str) -> None:
        """Close the films of a graph."""
        with self._lock:
            for key in [key for key in self._open if key[0] == graph_id]:
                del self._open[key]

    def _known(self, graph_id: str, wish: Wish, program: Program, revision: int) -> OpenFilm | None:
        """The film if it is open and still that of the program: layout changes no meaning."""
        with self._lock:
            film, _ = self._open.get((graph_id, wish), (None, 0))
            if film is None or film.program is not program:
                return None
            self._open.move_to_end((graph_id, wish))
            return replace(film, revision=revision)

    def _keep(self, wish: Wish, film: OpenFilm) -> OpenFilm:
        nodes = film.nodes
        with self._lock:
            self._open[film.graph_id, wish] = film, nodes
            self._open.move_to_end((film.graph_id, wish))
            while len(self._open) > 1 and (
                len(self._open) > MAX_OPEN
                or sum(nodes for _, nodes in self._open.values()) > MAX_NODES
            ):
                self._open.popitem(last=False)
        return film


def names(given: Sequence[str]) -> tuple[str, ...]:
    """Names as a wish has them, so that equal wishes are equal."""
    return tuple(sorted(set(given)))
