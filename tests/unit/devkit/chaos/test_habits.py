"""What the backend writes under chaos is drawn from a seed, and each of it can be told apart."""

import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway_contracts import CommandSucceeded, CommandSucceededData, SentInfo
from gateway_worker.devkit.chaos.habits import Drawn, Habits, OwnTexts
from gateway_worker.devkit.chaos.labelled_files import FORMS, LabelledFiles
from gateway_worker.devkit.received import ReceivedEvent
from gateway_worker.media.inspection.helpers import Helpers
from gateway_worker.media.inspection.inspector import Inspector

CHANGES = {"edit", "reaction", "revoke"}


def told(texts: OwnTexts, session_id: str, count: int) -> list[str]:
    """Let the backend be told that texts were sent; returns their ids."""
    ids = [f"3EB0{session_id.upper()}{number}" for number in range(count)]
    for message_id in ids:
        texts.expect(f"of-{message_id}")
        result = SentInfo(
            message_id=message_id, chat="12025550102@s.whatsapp.net", timestamp=datetime.now(UTC)
        )
        event = CommandSucceeded(
            source="/workers/w",
            subject=session_id,
            sequence=format(1, "020"),
            correlationid=f"of-{message_id}",
            data=CommandSucceededData(command_type="wa.message.send.v1", result=result),
        )
        texts.on_arrival(ReceivedEvent(routing_key="", body=b"", event=event))
    return ids


def drawn(session_id: str, texts: OwnTexts) -> list[Drawn]:
    """Return what a session writes under one seed."""
    habits = Habits(
        session_id=session_id,
        files=LabelledFiles(),
        texts=texts,
        dice=random.Random(f"1:{session_id}"),
    )
    return [habits.draw(f"out {number}") for number in range(400)]


def test_sessions_write_each_in_its_own_way() -> None:
    """The same of the same seed; every kind occurs, and what changes something has its id."""
    kinds = {}
    for session_id in ("a", "b", "c", "d"):
        texts, again = OwnTexts(), OwnTexts()
        ids = told(texts, session_id, 20)
        told(again, session_id, 20)
        found = drawn(session_id, texts)
        assert found == drawn(session_id, again)
        assert len({one.label for one in found}) == len(found)
        assert {one.about for one in found if one.content.kind in CHANGES} <= set(ids)
        assert {one.about for one in found if one.content.kind not in CHANGES} == {""}
        kinds[session_id] = Counter(one.content.kind for one in found)
    assert len({count["text"] // 20 for count in kinds.values()}) > 1
    assert len(set().union(*kinds.values())) == 12


def test_nothing_is_changed_that_is_not_known_to_be_sent() -> None:
    """A text takes its place; what was revoked is not touched again."""
    assert not CHANGES & {one.content.kind for one in drawn("a", OwnTexts())}
    texts = OwnTexts()
    told(texts, "a", 20)
    revoked: set[str] = set()
    for one in drawn("a", texts):
        assert one.about not in revoked
        if one.content.kind == "revoke":
            revoked.add(one.about)
    assert revoked


@pytest.mark.parametrize(
    ("form", "kind"), [("sound", "voice"), ("sound", "audio"), ("sticker", "sticker")]
)
async def test_a_labelled_file_is_sent_as_it_is(form: str, kind: str, tmp_path: Path) -> None:
    """So its hash tells which one a phone has got."""
    path = tmp_path / "file"
    path.write_bytes(FORMS[form]("out s000 17"))

    async with Helpers() as helpers:
        found = await Inspector(helpers=helpers).inspect(
            path, kind, owner="s000", limit_bytes=100_000
        )

    files = LabelledFiles()
    files.url(form, "out s000 17")
    assert files.label(found.sha256) == "out s000 17"
