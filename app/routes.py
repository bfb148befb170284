"""What the server answers over plain HTTP: the page, the session, and what can be read or kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import flask
from flask import Blueprint, Response
from werkzeug.exceptions import HTTPException

import app
from app import front_end, strict_json
from app.errors import AccessError, FrontEndError, NotFoundError, RequestError
from app.guard import is_token, session_of
from app.storage import StoredGraph
from engine import document, gallery
from engine.errors import EngineError

if TYPE_CHECKING:
    from app.application import Application

routes = Blueprint("routes", __name__)

STATUS = {"not-found": 404, "access": 401, "request": 400, "document": 400, "storage": 503}
UNCHANGING = "public, max-age=31536000, immutable"


def application() -> Application:
    """The application that a request came to."""
    return cast("Application", flask.current_app)


@routes.get("/")
def index() -> Response:
    """The page, or why there is none."""
    try:
        page = front_end.page()
    except FrontEndError as error:
        return Response(front_end.apology(error), 503, mimetype="text/html")
    return Response(page, mimetype="text/html", headers={"Cache-Control": "no-cache"})


@routes.get("/assets/<path:name>")
def asset(name: str) -> Response:
    """A file of the built front end; its name changes with its content."""
    folder = front_end.folder()
    if folder is None:
        raise NotFoundError("The front end is not built.", got=name)
    response = flask.send_from_directory(folder / "assets", name)
    response.headers["Cache-Control"] = UNCHANGING
    return response


@routes.post("/api/session")
def start_session() -> Response:
    """Take the token and give a session cookie, that page scripts can't read."""
    settings = application().settings
    offered = strict_json.loads(flask.request.get_data())
    if not isinstance(offered, dict) or not is_token(settings, offered.get("token")):
        raise AccessError("That is not the token of this start of the server.")
    response = flask.jsonify(ok=True)
    response.set_cookie(
        settings.cookie, session_of(settings), httponly=True, samesite="Strict", path="/"
    )
    return response


@routes.get("/api/session")
def session() -> Response:
    """Whether there is a session; without one the guard answers 401."""
    return flask.jsonify(ok=True)


@routes.get("/api/palette")
def palette() -> Response:
    """Every card that a node can be made from."""
    return flask.jsonify(document.palette())


@routes.get("/api/schema")
def schema() -> Response:
    """The JSON Schema of graph documents."""
    return flask.jsonify(document.schema())


@routes.get("/api/version")
def version() -> Response:
    """Which Wiregrad this is."""
    return flask.jsonify(version=app.__version__)


@routes.get("/api/gallery")
def gallery_list() -> Response:
    """The gallery, one entry a graph."""
    return flask.jsonify([entry(name) for name in gallery.names()])


@routes.get("/api/gallery/<name>.json")
def gallery_graph(name: str) -> Response:
    """A gallery graph as a file."""
    if name not in gallery.names():
        raise NotFoundError("There is no such graph in the gallery.", got=name)
    return download(name, gallery.load(name).text())


@routes.get("/api/graphs/<graph_id>.json")
def graph(graph_id: str) -> Response:
    """A stored graph as a file."""
    stored: StoredGraph = application().services.graphs.storage.get(graph_id)
    return download(stored.name, stored.document)


def entry(name: str) -> dict[str, object]:
    """What the gallery shows of a graph."""
    content = gallery.load(name)
    return {
        "name": name,
        "title": content.title,
        "summary": content.data.get("summary", ""),
        "nodes": len(content.nodes),
        "trainable": "training" in content.data,
    }


def download(name: str, text: str) -> Response:
    """A document for the person to keep."""
    return Response(
        text,
        mimetype="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}.json"'},
    )


@routes.app_errorhandler(EngineError)
def refused(error: EngineError) -> tuple[Response, int]:
    """An error that has an address and a hint."""
    return flask.jsonify(ok=False, error=error.to_json()), STATUS.get(error.kind, 400)


@routes.app_errorhandler(ValueError)
def malformed(_error: ValueError) -> tuple[Response, int]:
    """A body that is no JSON."""
    return refused(RequestError("The body is not JSON as it should be."))


@routes.app_errorhandler(HTTPException)
def answered(error: HTTPException) -> tuple[Response, int]:
    """Werkzeug's own refusals, in the form of all others."""
    code = error.code or 500
    kind = NotFoundError if code == 404 else RequestError
    return flask.jsonify(ok=False, error=kind(f"{error.name}.").to_json()), code
