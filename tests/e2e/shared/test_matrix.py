"""README's matrix of kinds is what the gateway does: each cell is tried."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway_contracts import ErrorCode
from gateway_contracts.content import ARRIVING_KINDS, SENDABLE_KINDS
from tests.e2e.shared.talk import Talk
from tests.support import samples
from tests.support.kinds import CASES, Case
from tests.support.web import answer, file_server

README = (Path(__file__).parents[3] / "README.md").read_text()
COLUMNS = ("send", "receive", "reply", "edit", "revoke", "react")
NOT_THEIRS = {ErrorCode.UNSUPPORTED, ErrorCode.INVALID_COMMAND}
SAYS = {"reaction": {"emoji": "\N{OK HAND SIGN}"}, "edit": {"text": "new"}}
FILES: dict[str, Callable[[], bytes]] = {
    "image": samples.picture,
    "video": samples.video,
    "audio": lambda: samples.sound("ogg", "libopus"),
    "voice": lambda: samples.sound("ogg", "libopus"),
    "document": lambda: b"%PDF-1.4\n%%EOF\n",
    "sticker": lambda: samples.picture(form="WEBP"),
}


def section() -> str:
    """Return the part of README that has the matrix."""
    return README.split("\n## What people send, both ways\n")[1].split("\n## ")[0]


def matrix() -> dict[str, dict[str, bool]]:
    """Return what README says of each kind: whether it can be done."""
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", section(), re.MULTILINE)
    said = {kind: [cell.startswith("yes") for cell in cells.split(" | ")] for kind, cells in rows}
    return {kind: dict(zip(COLUMNS, cells, strict=True)) for kind, cells in said.items()}


MATRIX = matrix()
SHOWN = {kind: row for kind, row in MATRIX.items() if row["reply"]}
"""What stands in a chat by itself."""


async def test_every_kind_has_a_row_and_every_no_has_a_reason() -> None:
    """And the ways that it goes are the contract's."""
    assert {kind for kind, row in MATRIX.items() if row["send"]} == set(SENDABLE_KINDS)
    assert {kind for kind, row in MATRIX.items() if row["receive"]} == set(ARRIVING_KINDS)
    cells = re.findall(r"\| (yes|no)(?: \((\d)\))?(?= \|)", section())
    reasons = set(re.findall(r"^(\d)\. ", section(), re.MULTILINE))
    assert {bool(reason) for word, reason in cells if word == "no"} == {True}
    assert {reason for _, reason in cells if reason} == reasons


async def do(talk: Talk, what: str, message_id: str, *, is_possible: bool) -> None:
    """Do something with a message, or be refused."""
    content: dict[str, Any] = {"kind": "text", "text": "answer"}
    more: dict[str, Any] = {"reply_to": {"message_id": message_id}}
    if what != "reply":
        kind = "reaction" if what == "react" else what
        content = {"kind": kind, "target": {"message_id": message_id}, **SAYS.get(kind, {})}
        more = {}
    if is_possible:
        shown = await talk.show(content, **more)
        assert message_id in {shown.quoted_id, shown.target_id}, what
    else:
        failed = await talk.gateway.fail(talk.command(content, **more))
        assert failed.data.error.code in NOT_THEIRS, what


@pytest_asyncio.fixture(loop_scope="session")
async def files() -> AsyncIterator[str]:
    """Serve a file of each kind; yields the server's URL."""
    served = {f"/{kind}": answer(make()) for kind, make in FILES.items()}
    async with file_server(served) as server:
        yield f"http://127.0.0.1:{server.port}"


def case_of(kind: str, *, arrives: bool) -> Case:
    """Return a content of a kind that goes one way."""
    return next(
        one for one in CASES if one.kind == kind and (one.arrives if arrives else one.is_sent)
    )


def content_of(kind: str, files: str) -> Mapping[str, Any]:
    """Return a content of a kind to send."""
    if kind not in FILES:
        return case_of(kind, arrives=False).contract
    named = {"file_name": "report.pdf"} if kind == "document" else {}
    return {"kind": kind, "media": {"source": "url", "url": f"{files}/{kind}"}, **named}


@pytest.mark.timeout(180)
async def test_what_is_done_with_what_the_account_has_sent(talk: Talk, files: str) -> None:
    """Each kind goes to the phone, and what can be done with it is."""
    for kind, row in SHOWN.items():
        if not row["send"]:
            continue
        shown = await talk.show(content_of(kind, files))
        for what in ("reply", "react", "edit", "revoke"):
            await do(talk, what, shown.message_id, is_possible=row[what])


@pytest.mark.timeout(120)
async def test_what_is_done_with_what_has_come(talk: Talk) -> None:
    """Each kind comes from the phone, and can be answered; only its writer can change it."""
    for kind, row in SHOWN.items():
        wire = {"invoiceMessage": {"note": "?"}} if kind == "unsupported" else None
        wire = wire or case_of(kind, arrives=True).wire
        message_id = await talk.other.send_content(talk.phone.number, wire)
        assert (await talk.gateway.told(talk.name, message_id)).content.kind == kind
        for what in ("reply", "react"):
            await do(talk, what, message_id, is_possible=row[what])
        for what in ("edit", "revoke"):
            await do(talk, what, message_id, is_possible=False)


@pytest.mark.timeout(120)
async def test_what_only_changes_something(talk: Talk) -> None:
    """Nothing is about it, whoever has sent it."""
    first = await talk.show({"kind": "poll", "question": "?", "options": ["a", "b"]})
    of_it = {"target": {"message_id": first.message_id}}
    text = await talk.show({"kind": "text", "text": "first"})
    contents: dict[str, Mapping[str, Any]] = {
        "reaction": {"emoji": "\N{OK HAND SIGN}", **of_it},
        "poll_vote": {"options": ["a"], **of_it},
        "pin": of_it,
        "keep": of_it,
        "edit": {"text": "second", "target": {"message_id": text.message_id}},
        "revoke": {"target": {"message_id": text.message_id}},
    }
    changes = {
        kind: (await talk.show({"kind": kind, **content})).message_id
        for kind, content in contents.items()
    }
    key = {"ID": first.message_id, "fromMe": False}
    for kind in ("timer", "event_response"):
        wire = case_of(kind, arrives=True).wire_about(key)
        changes[kind] = await talk.other.send_content(talk.phone.number, wire)
        await talk.gateway.told(talk.name, changes[kind])

    assert set(changes) == set(MATRIX) - set(SHOWN) - {"forward"}
    for kind, message_id in changes.items():
        for what in ("reply", "react", "edit", "revoke"):
            assert not MATRIX[kind][what]
            await do(talk, what, message_id, is_possible=False)
