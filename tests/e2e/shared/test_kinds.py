"""Every kind of content goes out to a phone and comes in from one."""

from __future__ import annotations

from tests.e2e.shared.talk import Talk
from tests.support.kinds import CASES, parts_of

KINDS = [one for one in CASES if not one.has_media and one.about_kind is None]
"""Files have stories of their own."""
SEALED = "poll_vote"
"""What is in it can be made only by who has the poll: it has a story of its own."""


async def test_every_kind_is_sent(talk: Talk) -> None:
    """The phone shows what was sent, and which message it is about."""
    ours = (await talk.show({"kind": "text", "text": "first"})).message_id
    key = {"fromMe": True, "ID": ours}
    for case in (one for one in KINDS if one.is_sent and one.kind != SEALED):
        target = {} if case.about is None else {"target": {"message_id": ours}}

        shown = await talk.show({**case.contract, **target})

        wire = case.wire_about(key)
        assert parts_of(wire, shown.content) == wire, case.name
        assert (shown.target_id or None) == (None if case.about is None else ours), case.name


async def test_every_kind_arrives(talk: Talk) -> None:
    """The backend is told what the phone has written, as the event of that kind."""
    theirs = await talk.other.send_text(talk.phone.number, "first")
    key = {"remoteJID": str(talk.phone.jid.account), "fromMe": True, "ID": theirs}
    for case in (one for one in KINDS if one.arrives):
        message_id = await talk.other.send_content(talk.phone.number, case.wire_about(key))

        data = await talk.gateway.told(talk.name, message_id)

        told = data.content.model_dump(exclude_none=True, mode="json")
        assert told.items() >= case.contract.items(), case.name
        assert told.get("target", {}).get("message_id") == (None if case.about is None else theirs)
        assert not data.partial, case.name
