"""Who gets in: every route and the websocket against every combination of headers."""

from __future__ import annotations

import itertools
import socket

import pytest
import socketio

from app.guard import session_of
from app.settings import LOOPBACK_NAMES
from tests.app.talk import PATIENCE, TOKEN, Site

PUBLIC = {("GET", "/"), ("GET", "/assets/<path:name>"), ("POST", "/api/session")}
EXAMPLES = {"<path:name>": "none.js", "<name>": "xnor", "<graph_id>": "a" * 16}
FOREIGN_HOSTS = [
    "",
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1",
    "127.0.0.1:{port}.evil.example",
    "127.0.0.1.evil.example:{port}",
    "127.0.0.1:1",
    "LOCALHOST:{port}",
    "0.0.0.0:{port}",
    "127.0.0.1:{port}, evil.example",
    "user@127.0.0.1:{port}",
]
FOREIGN_ORIGINS = [
    "null",
    "",
    "http://evil.example",
    "http://127.0.0.1.evil.example:{port}",
    "http://127.0.0.1:{port}.evil.example",
    "http://127.0.0.1:1",
    "https://127.0.0.1:{port}",
    "http://localhost:{port}",
    "HTTP://127.0.0.1:{port}",
    "http://127.0.0.1:{port}/",
]
FORWARDED = [
    {},
    {"X-Forwarded-Host": "{own}", "X-Forwarded-Proto": "http"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "127.0.0.1"},
    {"Forwarded": "host={own};proto=http"},
]


def routes(site: Site) -> list[tuple[str, str]]:
    """Method and path of every route of the URL map."""
    found = []
    for rule in site.app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            found.append((method, rule.rule))
    assert len(found) > 8
    return found


def status(site: Site, method: str, path: str, headers: dict[str, str]) -> int:
    """The status of a request written by hand, so that every header is just as it is given."""
    for part, example in EXAMPLES.items():
        path = path.replace(part, example)
    own = f"127.0.0.1:{site.port}"
    lines = [f"{method} {path} HTTP/1.1", "Content-Length: 0", "Content-Type: application/json"]
    lines += [f"{k}: {v.format(port=site.port, own=own)}" for k, v in headers.items()]
    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        return int(connection.makefile("rb").readline().split()[1])


def test_every_route_refuses_every_foreign_host(site: Site) -> None:
    for (method, path), host, more in itertools.product(routes(site), FOREIGN_HOSTS, FORWARDED):
        headers = {"Host": host, "Authorization": f"Bearer {TOKEN}", **more}
        assert status(site, method, path, headers) == 403, (method, path, headers)


def test_every_route_refuses_every_foreign_origin(site: Site) -> None:
    for (method, path), origin, more in itertools.product(routes(site), FOREIGN_ORIGINS, FORWARDED):
        headers = {"Host": "{own}", "Origin": origin, "Authorization": f"Bearer {TOKEN}", **more}
        assert status(site, method, path, headers) == 403, (method, path, headers)


@pytest.mark.parametrize(
    "secret",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer "},
        {"Cookie": "wiregrad_{port}=wrong"},
        {"Cookie": f"wiregrad_{{port}}={TOKEN}"},
        {"Cookie": "wiregrad_1=" + "{session}"},
    ],
    ids=repr,
)
def test_only_what_is_public_does_without_the_token(site: Site, secret: dict[str, str]) -> None:
    session = session_of(site.settings)
    for (method, path), more in itertools.product(routes(site), FORWARDED):
        headers = {k: v.replace("{session}", session) for k, v in secret.items()}
        code = status(site, method, path, {"Host": "{own}", **headers, **more})
        assert (code == 401) == ((method, path) not in PUBLIC), (method, path)


@pytest.mark.parametrize("name", LOOPBACK_NAMES)
def test_every_route_answers_to_the_lawful(site: Site, name: str) -> None:
    own = f"{name}:{site.port}"
    session = session_of(site.settings)
    secrets = [
        {"Authorization": f"Bearer {TOKEN}"},
        {"Cookie": f"other=1; wiregrad_{site.port}={session}"},
    ]
    origins: list[dict[str, str]] = [{}, {"Origin": f"http://{own}"}]
    for (method, path), secret, origin, more in itertools.product(
        routes(site), secrets, origins, FORWARDED
    ):
        code = status(site, method, path, {"Host": own, **secret, **origin, **more})
        # A POST without a body and an example that is not there are refused by the route itself.
        assert code in (200, 400, 404, 503), (method, path)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_are_not_used_here(site: Site, method: str) -> None:
    headers = {"Host": "{own}", "Authorization": f"Bearer {TOKEN}"}
    assert status(site, method, "/api/session", headers) == 405


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
)
def test_a_form_of_another_page_is_no_request(site: Site, kind: str) -> None:
    code, _, _ = site.request("POST", "/api/session", {"token": TOKEN}, Content_Type=kind)
    assert code == 415


@pytest.mark.parametrize("site_header", ["cross-site", "same-site", "anything"])
def test_a_fetch_of_another_site_is_refused_but_a_link_to_the_page_works(
    site: Site, site_header: str
) -> None:
    fetch = {"Sec_Fetch_Site": site_header}
    link = {**fetch, "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert site.request("GET", "/api/palette", **fetch)[0] == 403
    assert site.request("GET", "/api/palette", **link)[0] == 403
    assert site.request("GET", "/", **fetch)[0] == 403
    assert site.request("GET", "/", **link)[0] in (200, 503)


def test_every_answer_has_the_security_headers(site: Site) -> None:
    for path, headers in [("/", {}), ("/api/palette", {"Authorization": ""}), ("/none", {})]:
        _, _, response = site.request("GET", path, **headers)
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "Python" not in response.headers["Server"]


def test_the_token_buys_a_cookie_that_scripts_cannot_read(site: Site) -> None:
    code, body, response = site.request("POST", "/api/session", {"token": TOKEN}, Authorization="")
    cookie = response.headers["Set-Cookie"]
    assert (code, body) == (200, {"ok": True})
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    value = cookie.partition(";")[0]
    assert site.request("GET", "/api/session", Authorization="", Cookie=value)[0] == 200


@pytest.mark.parametrize("body", [{"token": "wrong"}, {"token": None}, {}, [], "token", None])
def test_anything_but_the_token_buys_nothing(site: Site, body: object) -> None:
    code, answer, response = site.request("POST", "/api/session", body, Authorization="")
    assert code in (400, 401)
    assert answer["ok"] is False
    assert "Set-Cookie" not in response.headers


def handshake(site: Site, headers: dict[str, str]) -> int:
    """The status of a websocket handshake: 101 when it is accepted."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    return status(site, "GET", "/socket.io/?EIO=4&transport=websocket", {**headers, **upgrade})


def test_the_websocket_is_guarded_like_everything_else(site: Site) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    for more in FORWARDED:
        assert handshake(site, {"Host": "{own}", **bearer, **more}) == 101
        assert handshake(site, {"Host": "{own}", "Origin": "http://{own}", **bearer, **more}) == 101
        for host in FOREIGN_HOSTS:
            origin = {"Origin": "http://" + host} if host else {}
            assert handshake(site, {"Host": host, **origin, **bearer, **more}) == 403, host
        for origin_text in FOREIGN_ORIGINS:
            headers = {"Host": "{own}", "Origin": origin_text, **bearer, **more}
            assert handshake(site, headers) == 403, origin_text


def test_there_is_no_polling(site: Site) -> None:
    headers = {"Host": "{own}", "Authorization": f"Bearer {TOKEN}"}
    assert status(site, "GET", "/socket.io/?EIO=4&transport=polling", headers) == 400
    assert status(site, "POST", "/socket.io/?EIO=4&transport=polling", headers) == 400


def connects(site: Site, auth: object, headers: dict[str, str]) -> bool:
    """Whether a Socket.IO client gets in."""
    client = socketio.Client(reconnection=False)
    try:
        client.connect(
            f"http://127.0.0.1:{site.port}",
            auth=auth,
            headers=headers,
            transports=["websocket"],
            wait_timeout=PATIENCE,
        )
        client.disconnect()
    except socketio.exceptions.ConnectionError:
        return False
    return True


def test_the_websocket_asks_for_the_token_or_the_cookie(site: Site) -> None:
    cookie = {"Cookie": f"wiregrad_{site.port}={session_of(site.settings)}"}
    assert connects(site, {"token": TOKEN}, {})
    assert connects(site, None, cookie)
    assert connects(site, {"token": "wrong"}, cookie)
    assert connects(site, None, {"Authorization": f"Bearer {TOKEN}"})
    assert not connects(site, None, {})
    for wrong in ({"token": "wrong"}, {"token": None}, {"token": [TOKEN]}, {"Token": TOKEN}):
        assert not connects(site, wrong, {})
