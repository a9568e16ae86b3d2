"""What a message says: as a host is asked to send it, and as the history has it."""

import json
from collections.abc import Mapping
from typing import Any, Final, get_args

from pydantic import TypeAdapter

from gateway_contracts import (
    Content,
    ContentToSend,
    EditContent,
    EditToSend,
    EventContent,
    ForwardToSend,
    MessageSendData,
    PollContent,
    PollVoteToSend,
    RevokeContent,
    TextContent,
)
from gateway_contracts.content import SENDABLE_KINDS
from gateway_contracts.events.change import ChangeEvent
from gateway_worker.commands.features import Feature, check_kind
from gateway_worker.commands.handlers.targets import Target
from gateway_worker.errors import InvalidCommandError, UnsupportedError
from gateway_worker.sessions.changes import MessageRow
from gateway_worker.sessions.chats import is_channel

_ARRIVING: Final[TypeAdapter[Content]] = TypeAdapter(Content)
_GROUP: Final = "@g.us"
_MOST_QUOTED: Final = 65_536
"""How long the JSON of a content may be that a reply repeats."""
_IN_CHANNELS: Final = frozenset({"text", "edit", "revoke"})
_EDITED: Final = frozenset({"text", "image", "video", "document"})
"""Kinds with a text or caption that can be replaced."""
_CHANGES: Final = frozenset(
    model.model_fields["data"].annotation.model_fields["content"].annotation
    for model in get_args(ChangeEvent)
)
"""The contents that are events of their own."""
_NOT_FORWARDED: Final = frozenset({"album", "poll"})
"""Kinds that WhatsApp's apps do not forward either: votes belong to one chat, and an album is an
empty frame without its parts, which are messages of their own."""


def now(row: MessageRow) -> Content | None:
    """Return what a message says now; None if it was deleted."""
    match row.change:
        case RevokeContent():
            return None
        case EditContent(text=text, mentions=mentions) if isinstance(row.content, TextContent):
            return TextContent(text=text, mentions=mentions)
        case EditContent(event=EventContent() as new) if isinstance(row.content, EventContent):
            return new
        case EditContent(poll=PollContent() as new) if isinstance(row.content, PollContent):
            return new
        case EditContent(text=text) if "caption" in type(row.content).model_fields:
            return row.content.model_copy(update={"caption": text})
        case _:
            return row.content


def quotable(row: MessageRow) -> dict[str, Any] | None:
    """Return what a reply quotes of a message; None if it was deleted, or is too long for that."""
    content = now(row)
    if content is None:
        return None
    quoted = content.model_dump(mode="json", exclude_none=True)
    return quoted if len(json.dumps(quoted)) <= _MOST_QUOTED else None


def forwardable(row: MessageRow | None, features: frozenset[Feature]) -> Content:
    """Return what of a message is to be sent to somebody else.

    Raises:
        InvalidCommandError: The history does not have it, it was deleted, or it is of a kind that
            is not forwarded.
        UnsupportedError: Its kind is not among the features that are switched on.
    """
    content = None if row is None else now(row)
    if content is None:
        raise InvalidCommandError(
            "the session's history does not have this message, or it was deleted",
            pointer="/data/content/message/message_id",
        )
    is_sendable = content.kind in SENDABLE_KINDS and content.kind not in _NOT_FORWARDED
    if not is_sendable or "target" in type(content).model_fields:
        raise InvalidCommandError(
            "a message of this kind cannot be forwarded", pointer="/data/content/message"
        )
    check_kind(content.kind, features)
    return content


def stored_content(
    content: ContentToSend,
    *,
    chat: str,
    target: Target | None = None,
    forwarded: Content | None,
    told: Mapping[str, Any],
) -> Content:
    """Return what the history has of a content that was sent: what would have arrived.

    Args:
        content: What was sent.
        chat: Where to.
        target: The message that it is about, as far as that is known.
        forwarded: What was forwarded, if it was that.
        told: Fields that are told otherwise than they were sent: of its file, or its preview.
    """
    if isinstance(content, ForwardToSend):
        return forwarded or _FORGOTTEN
    fields = {**content.model_dump(), **told}
    if "target" in fields:
        fields["target"] = {
            **fields["target"],
            **(target.fields() if target else {}),
            "chat": chat,
        }
    return _ARRIVING.validate_python(fields)


_FORGOTTEN: Final = _ARRIVING.validate_python({"kind": "unsupported", "message_type": "forward"})
"""For what was forwarded and is not in the history any more."""


def mentions_all(to: str, content: dict[str, Any]) -> bool:
    """Take from a content whether it names everybody.

    Raises:
        InvalidCommandError: There is no group to name.
    """
    is_asked: bool = content.pop("mention_all", False)
    if is_asked and not to.endswith(_GROUP):
        raise InvalidCommandError(
            "only in a group everybody can be named", pointer="/data/content/mention_all"
        )
    return is_asked


def check_channel(data: MessageSendData) -> None:
    """Refuse what cannot be posted in a channel, if it goes to one.

    Raises:
        UnsupportedError: The library cannot, or channels have no such thing.
    """
    if not is_channel(data.to):
        return
    if data.content.kind not in _IN_CHANNELS:
        raise UnsupportedError(
            "in a channel the gateway posts texts, and edits and deletes them: the library does "
            "not tell the handle that files in channels need, and the rest has no form there"
        )
    mentions = getattr(data.content, "mentions", ()) or getattr(data.content, "mention_all", False)
    if data.reply_to is not None or data.album_id is not None or mentions:
        raise UnsupportedError("in a channel nobody is answered or named")


def check_target(content: ContentToSend, target: Target) -> None:
    """Refuse what cannot be about a message, as far as the history has that message.

    Raises:
        InvalidCommandError: A vote for what is no option, or in what is no poll.
        UnsupportedError: WhatsApp knows no such thing about a message of this kind.
    """
    if target.row is None:
        return
    stored = target.row.content
    check_shown(stored)
    if isinstance(content, EditToSend) and stored.kind not in _EDITED:
        raise UnsupportedError("WhatsApp edits texts and captions only")
    if isinstance(content, PollVoteToSend):
        _check_vote(content, stored)


def check_shown(content: Content) -> None:
    """Refuse to point at what is no message of its own in a chat.

    Raises:
        UnsupportedError: It only changes something.
    """
    if type(content) in _CHANGES:
        raise UnsupportedError("nothing can be about what only changes something else")


def _check_vote(content: PollVoteToSend, poll: Content) -> None:
    if not isinstance(poll, PollContent):
        raise InvalidCommandError("the message is no poll", pointer="/data/content/target")
    chosen = set(content.options)
    if not chosen <= set(poll.options):
        raise InvalidCommandError("the poll has no such option", pointer="/data/content/options")
    if 0 < poll.selectable_count < len(chosen):
        detail = f"in this poll one chooses {poll.selectable_count} at most"
        raise InvalidCommandError(detail, pointer="/data/content/options")
