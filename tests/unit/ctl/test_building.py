"""Words become commands, and what the gateway would refuse is refused before it is sent."""

from pathlib import Path
from typing import Any

import pytest
import typer

from gateway_contracts import MessageSend
from gateway_contracts.commands.contact import ContactCheck
from gateway_contracts.content import SENDABLE_KINDS
from gateway_contracts.spec.examples import load_examples
from gateway_worker.ctl.building import build_command, json_of, labels_of, with_fields
from gateway_worker.ctl.sending import Draft, content_of, media_of, question

SOURCE = "/backends/ctl"


def test_a_command_is_checked_as_the_gateway_does() -> None:
    """With a short name of its type; what is None is left out."""
    data = {"numbers": ["+15550100002"], "max_age_seconds": None}
    command = build_command("contact.check", "shop", data, source=SOURCE, command_id="c-1")
    assert isinstance(command, ContactCheck)
    assert (command.id, command.data.max_age_seconds) == ("c-1", 3_600)
    with pytest.raises(typer.BadParameter, match="/data/numbers/0"):
        build_command("contact.check", "shop", {"numbers": ["x"]}, source=SOURCE)
    with pytest.raises(typer.BadParameter, match="/type"):
        build_command("contact.cheque", "shop", {}, source=SOURCE)


def test_fields_are_texts_or_json_at_their_places() -> None:
    """The data that they are added to stays as it was."""
    data = {"a": {"b": 1}}
    fields = ["a.c=2", "d:=[1, 2]", "e=x=y"]
    assert with_fields(data, fields) == {"a": {"b": 1, "c": "2"}, "d": [1, 2], "e": "x=y"}
    assert data == {"a": {"b": 1}}


@pytest.mark.parametrize("field", ["a", "=1", "a:=x", "a..b=1", "a.b.c=1"])
def test_what_is_no_field_is_refused(field: str) -> None:
    """As a usage error."""
    with pytest.raises(typer.BadParameter):
        with_fields({"a": {"b": 1}}, [field])


def test_json_may_be_in_a_file(tmp_path: Path) -> None:
    """And has to be an object."""
    (tmp_path / "a.json").write_text('{"kind": "text"}')
    assert json_of(f"@{tmp_path}/a.json") == {"kind": "text"}
    for text in ("[]", "{", f"@{tmp_path}/none"):
        with pytest.raises(typer.BadParameter):
            json_of(text)


def test_labels_are_pairs() -> None:
    """With an equals sign between name and value."""
    assert labels_of(["a=b", "c=d=e"]) == {"a": "b", "c": "d=e"}
    with pytest.raises(typer.BadParameter):
        labels_of(["a"])


def draft(**more: Any) -> Draft:
    """Return something to be sent to somebody."""
    return Draft(session="shop", to="+15550100002", **more)


@pytest.mark.parametrize(
    ("given", "content"),
    [
        ({"text": "Hi"}, {"kind": "text", "text": "Hi"}),
        ({"text": "👍", "kind": "reaction", "target": "M"}, {"kind": "reaction", "emoji": "👍"}),
        (
            {"text": "When?", "kind": "poll", "fields": ('options:=["a", "b"]',)},
            {"kind": "poll", "question": "When?", "options": ["a", "b"]},
        ),
        ({"file": Path("a.pdf"), "text": "x"}, {"kind": "document", "file_name": "a.pdf"}),
        ({"file": Path("a.jpg")}, {"kind": "image"}),
        ({"file": Path("a.ogg"), "kind": "voice"}, {"kind": "voice"}),
        ({"url": "https://x.example/a.mp4?b=c.pdf"}, {"kind": "video"}),
        ({"content": '{"kind": "revoke"}', "target": "M"}, {"kind": "revoke"}),
    ],
)
def test_what_is_left_out_is_filled_in(given: dict[str, Any], content: dict[str, Any]) -> None:
    """And the whole is a command."""
    typed = draft(**given)
    made = content_of(typed, media=media_of(typed))
    assert {name: made[name] for name in content} == content
    command = question(typed, media=media_of(typed), seconds=1).command(SOURCE)
    assert isinstance(command, MessageSend)


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "telegram"},
        {"kind": "sticker", "text": "x"},
        {"file": Path("a"), "kind": "text"},
        {"text": "x", "target": "M"},
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any]) -> None:
    """By name."""
    typed = draft(**given)
    with pytest.raises(typer.BadParameter):
        content_of(typed, media=media_of(typed))


def test_every_kind_can_be_sent_as_its_example_is() -> None:
    """By its whole content."""
    seen = set()
    for example in load_examples("wa.message.send.v1"):
        content = example.payload["data"]["content"]
        command = build_command(
            "message.send", "shop", {"to": "+15550100002", "content": content}, source=SOURCE
        )
        assert isinstance(command, MessageSend)
        seen.add(content["kind"])
    assert seen == set(SENDABLE_KINDS)
