"""Results and events as people see them; what people wrote only if it was asked for."""

import json
import re
from typing import Any

from gateway_contracts import encode
from gateway_contracts.client import ReceivedEvent
from gateway_contracts.codec import parse_event
from gateway_contracts.spec.catalog import EVENTS
from gateway_contracts.spec.examples import load_examples
from gateway_worker.ctl.following import Tail
from gateway_worker.ctl.showing import HIDDEN, flat, lines, rows, without_personal

PRIVATE = re.compile(r"15550100|[0-9]@(s\.whatsapp\.net|lid|g\.us)|2@[A-Za-z0-9]")
"""Numbers, ids and codes that stand in the examples."""


def received(payload: dict[str, Any]) -> ReceivedEvent:
    """Return an example as it comes to a client."""
    event = parse_event(json.dumps(payload).encode())
    key = f"{event.type.removeprefix('wa.').rsplit('.', 1)[0]}.{event.subject}"
    return ReceivedEvent(event=event, routing_key=key, body=encode(event))


def test_no_event_tells_what_is_personal_unless_asked() -> None:
    """Neither as a line nor as JSON."""
    for example in load_examples():
        if example.type not in EVENTS:
            continue
        arrival = received(example.payload)
        for tail in (Tail(), Tail(as_json=True)):
            line = tail.line(arrival)
            assert not PRIVATE.search(line), (example.name, line)
        assert json.loads(Tail(as_json=True, with_text=True).line(arrival)) == json.loads(
            arrival.body
        )


def test_what_went_wrong_is_shown() -> None:
    """An error's code is no code that links an account."""
    shown = without_personal({"error": {"code": "expired"}, "code": "2@abc", "state": "failed"})
    assert shown == {"error": {"code": "expired"}, "code": HIDDEN, "state": "failed"}


def test_values_are_flat_and_aligned() -> None:
    """Under the names that lead to them; nothing steers a terminal."""
    value = {"a": {"b": 1}, "list": ["x", "y"], "items": [{"c": True}], "text": "\x1b[31m"}
    assert dict(flat(value)) == {"a.b": 1, "list": "x, y", "items.0.c": True, "text": "\x1b[31m"}
    assert list(lines(value)) == [
        *(
            "a.b        1",
            "list       x, y",
            "items.0.c  yes",
            "text       \N{REPLACEMENT CHARACTER}[31m",
        )
    ]
    assert rows([{"a": 1}, {"b": {"c": None}}]) == [{"a": "1"}, {"a": "-"}]


def test_a_tail_binds_and_takes_what_is_wanted() -> None:
    """By type, or the beginning of one, and by session."""
    assert Tail().patterns() == ("*.*.#",)
    wanted = Tail(sessions=("s",), types=("message", "session.status"))
    assert wanted.patterns() == ("message.*.s", "session.status.s")
    (example, *_) = load_examples("wa.message.received.v1")
    arrival = received({**example.payload, "subject": "s"})
    assert wanted.wants(arrival)
    of_tenant = received({**example.payload, "subject": "acme.s"})
    assert Tail(sessions=("acme.s",), types=("message.received",)).wants(of_tenant)
    assert not wanted.wants(of_tenant)
    assert not Tail(sessions=("t",)).wants(arrival)
    assert not Tail(types=("message.receipt",)).wants(arrival)
    assert Tail(types=("worker.heartbeat",)).heartbeats


def test_what_was_written_stands_before_what_a_line_has_no_room_for() -> None:
    """However many ids the event has."""
    (example, *_) = load_examples("wa.message.received.v1")
    data = {"many": {f"id_{number}": "x" * 20 for number in range(20)}} | example.payload["data"]
    line = Tail(with_text=True).line(received({**example.payload, "data": data}))
    assert example.payload["data"]["content"]["text"] in line
    assert line.endswith("…")
