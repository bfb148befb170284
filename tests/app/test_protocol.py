"""The declared messages: complete, strict, and the same in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from app import application, typescript
from app.errors import RequestError
from app.fields import Alias, Field, ListOf, Record, Text, Whole
from app.protocol import PUSHES, REQUESTS
from app.typescript import collect
from app.wire import HANDLERS

ID = "a" * 16
LAWFUL: dict[str, dict[str, Any]] = {
    "graph_open": {"source": {"gallery": "xnor"}},
    "graph_edit": {"graph_id": ID, "base_revision": 0, "patches": [{"path": ["title"]}]},
    "graph_list": {},
    "graph_save": {"graph_id": ID, "title": "A title"},
    "graph_delete": {"graph_id": ID},
    "graph_call": {"graph_id": ID, "function": None},
    "graph_reset": {"graph_id": ID},
    "wire_check": {"graph_id": ID, "from": ["x", "out"], "to": None},
    "film_open": {
        "graph_id": ID,
        "function": "train",
        "strict": True,
        "exclude": ["stabilize"],
        "include": [],
        "stop_after": "merge",
    },
    "film_page": {"film_id": ID, "path": [3], "start": 0, "count": 50, "frame": True},
    "run_start": {
        "graph_id": ID,
        "steps": 10,
        "seed": 0,
        "device": "cpu",
        "set": {"learning_rate": 0.1},
        "steps_per_second": 2.5,
    },
    "run_control": {"run_id": ID, "action": "pause"},
    "run_speed": {"run_id": ID, "steps_per_second": None},
    "run_set": {"run_id": ID, "name": "learning_rate", "value": 0.1},
    "run_subscribe": {"run_id": ID, "after_step": -1, "epoch": 0, "width": 800},
    "run_unsubscribe": {"run_id": ID},
    "run_list": {"graph_id": None},
}
STRANGE = [None, True, -2, 1.5, float("inf"), "", "../../etc", "x" * 5000, [], {}, [[]], {"a": 1}]


def named() -> list[Alias | Record]:
    found: dict[str, Alias | Record] = {}
    for message in REQUESTS.values():
        collect(message.request, found)
        collect(message.reply, found)
    for push in PUSHES.values():
        collect(push.push, found)
    return list(found.values())


def test_typescript_is_what_the_declarations_say() -> None:
    path = typescript.PROTOCOL_TS
    assert path.read_text("utf-8") == typescript.render(), "run `python -m app.protocol`"


def test_every_request_has_its_handler() -> None:
    assert application.HANDLERS
    assert set(HANDLERS) == set(REQUESTS)
    for name, handler in HANDLERS.items():
        assert handler.__name__ == name


@pytest.mark.parametrize("field", named(), ids=lambda field: field.name)
def test_everything_declared_is_documented(field: Alias | Record) -> None:
    assert field.doc
    if isinstance(field, Record):
        assert all(len(line) > 3 for line in field.docs.values())


@pytest.mark.parametrize("name", REQUESTS)
def test_a_lawful_request_passes_unchanged(name: str) -> None:
    request = REQUESTS[name].request
    checked = request.check(LAWFUL[name], name)
    assert {key: checked[key] for key in LAWFUL[name]} == LAWFUL[name]


@pytest.mark.parametrize("name", REQUESTS)
def test_an_unknown_field_is_refused(name: str) -> None:
    with pytest.raises(RequestError, match="not declared"):
        REQUESTS[name].request.check({**LAWFUL[name], "extra": 1}, name)


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("value", [None, 1, "x", [], [1], True], ids=repr)
def test_a_request_that_is_no_object_is_refused(name: str, value: object) -> None:
    with pytest.raises(RequestError):
        REQUESTS[name].request.check(value, name)


@pytest.mark.parametrize(
    ("name", "field"), [(name, field) for name, fields in LAWFUL.items() for field in fields]
)
def test_a_strange_value_is_refused_or_harmless(name: str, field: str) -> None:
    said = []
    for value in STRANGE:
        try:
            REQUESTS[name].request.check({**LAWFUL[name], field: value}, name)
        except RequestError as error:
            said.append(error.message)
    assert said or field == "value", "only free JSON values may be anything"
    assert all(field in message for message in said)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (Whole(), True),
        (Whole(), 1.0),
        (Whole(0, 9), 10),
        (Text(3), "four"),
        (Text(9, "[a-z]+"), "a\n"),
        (ListOf(Whole(), 2), [1, 2, 3]),
        (ListOf(Whole()), (1,)),
    ],
)
def test_types_are_exact(field: Field, value: object) -> None:
    with pytest.raises(RequestError) as caught:
        field.check(value, "it")
    assert caught.value.expected
    assert caught.value.got
