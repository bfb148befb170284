"""The outermost layer: who may talk to this server at all.

It wraps the whole WSGI application, the websocket handshake included, because a web page that the
person visits can reach the loopback interface too. Host and Origin are compared exactly, what
proxies claim is not believed, and everything but the page itself needs the token.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from app.errors import AccessError, RequestError
from app.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SOCKET_PATH = "/socket.io/"
ADMITTED = "wiregrad.admitted"
SECURITY_HEADERS = [
    (
        "Content-Security-Policy",
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "object-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
PROXY_HEADERS = ("HTTP_FORWARDED", "HTTP_VIA", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_")
METHODS = ("GET", "HEAD", "POST")


class Guard:
    """A WSGI application around another one, which only lawful requests reach."""

    def __init__(self, application: WSGIApplication, settings: Settings) -> None:
        self.application = application
        self.settings = settings

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer 400, 401, 403 or 405 with a WireError, or let the request through."""
        for name in [name for name in environ if name.startswith(PROXY_HEADERS)]:
            del environ[name]
        # No compressed websocket messages: on one machine they only serve as bombs.
        environ.pop("HTTP_SEC_WEBSOCKET_EXTENSIONS", None)

        def with_headers(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            return start_response(status, headers + SECURITY_HEADERS, *rest)

        refusal = self.refusal(environ)
        if refusal is None:
            return self.application(environ, with_headers)
        status, error = refusal
        body = json.dumps({"ok": False, "error": error.to_json()}).encode()
        with_headers(
            status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return [body]

    def refusal(self, environ: WSGIEnvironment) -> tuple[str, AccessError | RequestError] | None:
        """Why a request may not pass, with the status of the answer; None when it may."""
        host = environ.get("HTTP_HOST", "")
        if host not in self.settings.hosts:
            return "403 Forbidden", AccessError("This server does not answer to that Host.")
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and origin != f"http://{host}":
            return "403 Forbidden", AccessError("Pages of another origin may not use this server.")
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        site = environ.get("HTTP_SEC_FETCH_SITE", "none")
        if site not in ("same-origin", "none") and not is_link_to_page(environ):
            return "403 Forbidden", AccessError("Pages of another site may not use this server.")
        if method not in METHODS:
            return "405 Method Not Allowed", RequestError("Only GET, HEAD and POST are used here.")
        if method == "POST" and environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != (
            "application/json"
        ):
            return "415 Unsupported Media Type", RequestError("The body must be application/json.")
        environ[ADMITTED] = self.admits_headers(environ)
        if not environ[ADMITTED] and not is_public(method, path):
            return "401 Unauthorized", AccessError(
                "This needs the token of this start of the server.",
                hint="Open the address that the server printed when it started.",
            )
        return None

    def admits_headers(self, environ: WSGIEnvironment) -> bool:
        """Whether the session cookie or a bearer token comes with the request."""
        scheme, _, bearer = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() == "bearer" and is_token(self.settings, bearer.strip()):
            return True
        try:
            morsel = SimpleCookie(environ.get("HTTP_COOKIE", "")).get(self.settings.cookie)
        except CookieError:
            return False
        return morsel is not None and same(morsel.value, session_of(self.settings))


def is_token(settings: Settings, offered: object) -> bool:
    """Whether a client shows the right token; takes the same time for every wrong one."""
    return isinstance(offered, str) and same(offered, settings.token)


def session_of(settings: Settings) -> str:
    """The value of the session cookie: made from the token, which it does not give away."""
    return hmac.new(settings.token.encode(), b"session", hashlib.sha256).hexdigest()


def same(offered: str, secret: str) -> bool:
    """Compare without telling by the time it takes where the difference is."""
    return hmac.compare_digest(offered.encode("utf-8", "replace"), secret.encode())


def is_public(method: str, path: str) -> bool:
    """Whether a path is needed before there is a session. The socket asks for its token itself."""
    if method == "POST":
        return path == "/api/session"
    return path == "/" or path.startswith(("/assets/", SOCKET_PATH))


def is_link_to_page(environ: WSGIEnvironment) -> bool:
    """Whether a person followed a link from elsewhere to the page itself."""
    return (
        environ["REQUEST_METHOD"] == "GET"
        and environ.get("PATH_INFO") == "/"
        and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
        and environ.get("HTTP_SEC_FETCH_DEST") == "document"
    )
