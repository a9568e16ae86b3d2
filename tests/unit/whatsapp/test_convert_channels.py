"""What comes from channels: posts, and what is changed of them under their own ids."""

from typing import Any

from gateway_contracts import EditContent, RevokeContent, TextContent
from gateway_worker.whatsapp.convert.message import message
from gateway_worker.whatsapp.convert.people import People
from tests.support.arrivals import InboundMessage, through
from tests.unit.whatsapp.library_messages import arrival, e2e, events, jid, source

CHANNEL = "120363000000000002@newsletter"
PEOPLE = People(phone_of=lambda _: None)


def posted(content: Any, *, edit: str = "", edited_at: int | None = None) -> Any:
    """Return the library's event of a post, or of a change of one."""
    channel = jid("120363000000000002", "newsletter")
    event = arrival(content, origin=source(Chat=channel, Sender=channel), name="")
    event.Info.ServerID, event.Info.Edit = 107, edit
    if edited_at is not None:
        event.NewsLetterMeta.CopyFrom(
            events.NewsLetterMessageMeta(EditTS=edited_at, OriginalTS=1_795_502_000)
        )
    return event


def told(event: Any) -> InboundMessage:
    """Return how it arrives."""
    found = message(event, offline=False, people=PEOPLE)
    assert found is not None
    arrived = through(found)
    assert isinstance(arrived, InboundMessage)
    return arrived


def test_a_post() -> None:
    """The channel is chat and writer in one; its number there is told, too."""
    event = posted(e2e.Message(conversation="news"))

    found = told(event)

    assert (found.chat, found.sender.jid, found.content) == (
        CHANNEL,
        CHANNEL,
        TextContent(text="news"),
    )
    arrived = message(event, offline=False, people=PEOPLE)
    assert arrived is not None
    assert (arrived.type, arrived.data["server_id"]) == ("wa.message.received.v1", 107)


def test_an_edit() -> None:
    """It names the post, and has an id of its own, the same each time."""
    event = posted(e2e.Message(conversation="better"), edit="3", edited_at=1_795_502_500_000)

    found = told(event)

    assert isinstance(found.content, EditContent)
    assert found.content.text == "better"
    assert (found.content.target.message_id, found.content.target.participant) == (
        "3EB0AA",
        CHANNEL,
    )
    assert found.message_id == "3EB0AA-3-1795502500000" == told(event).message_id


def test_a_new_caption() -> None:
    """Likewise."""
    image = e2e.ImageMessage(caption="better", mimetype="image/jpeg")

    found = told(posted(e2e.Message(imageMessage=image), edit="3"))

    assert isinstance(found.content, EditContent)
    assert found.content.text == "better"


def test_an_edit_that_says_nothing() -> None:
    """Nobody can tell what has changed."""
    image = e2e.ImageMessage(mimetype="image/jpeg")

    found = told(posted(e2e.Message(imageMessage=image), edit="3"))

    assert found.content.kind == "unsupported"
    assert found.message_id != "3EB0AA"


def test_a_deletion() -> None:
    """It comes with nothing in it."""
    found = told(posted(e2e.Message(), edit="8"))

    assert isinstance(found.content, RevokeContent)
    assert found.content.target.message_id == "3EB0AA"
    assert found.message_id.startswith("3EB0AA-8-")
