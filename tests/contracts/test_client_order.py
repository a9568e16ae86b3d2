"""What a client takes for new, and where a file is put."""

from pathlib import Path

import pytest

from gateway_contracts.client import EventOrder
from gateway_contracts.client import order as module
from gateway_contracts.client.upload import media_type_of, size_and_digest
from gateway_contracts.commands.done import Done
from gateway_contracts.envelope import format_sequence
from gateway_contracts.events.outcome import CommandSucceeded, CommandSucceededData


def event(number: int | None, session: str = "s", name: str | None = None) -> CommandSucceeded:
    """Return the event with this number of a session."""
    return CommandSucceeded(
        id=name or f"{session}-{number}",
        source="/workers/w",
        subject=session,
        sequence=None if number is None else format_sequence(number),
        data=CommandSucceededData(command_type="wa.session.stop.v1", result=Done()),
    )


def test_repeats_and_gaps_are_by_session() -> None:
    """By the number, whatever the id; of the first nothing is missing."""
    order = EventOrder()
    assert order.missing_before(event(7)) == 0
    order.handled(event(7))
    assert order.is_repeat(event(7, name="other"))
    assert order.is_repeat(event(3))
    assert not order.is_repeat(event(8))
    assert not order.is_repeat(event(3, session="t"))
    assert order.missing_before(event(8)) == 0
    assert order.missing_before(event(11)) == 3
    assert EventOrder(order.positions).is_repeat(event(7))


def test_events_without_a_number_are_told_apart_by_their_ids(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of which the newest are kept."""
    monkeypatch.setattr(module, "IDS_KEPT", 2)
    order = EventOrder()
    for name in ("a", "b", "c"):
        order.handled(event(None, name=name))
    assert [order.is_repeat(event(None, name=name)) for name in ("a", "b", "c")] == [
        *(False, True, True)
    ]


def test_a_file_is_described(tmp_path: Path) -> None:
    """As `media.upload_url` wants it."""
    path = tmp_path / "a.pdf"
    path.write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert size_and_digest(path) == (3, digest)
    assert media_type_of(path) == "application/pdf"
    assert media_type_of(tmp_path / "a") == "application/octet-stream"
