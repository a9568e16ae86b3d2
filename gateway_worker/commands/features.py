"""What an operator may switch on and off: parts of the gateway that not everybody wants."""

from enum import StrEnum
from typing import Final

from gateway_contracts import Command, HistoryDepth, MessageSend, SessionCreate, SessionUpdate
from gateway_contracts.unions import members
from gateway_worker.errors import UnsupportedError
from gateway_worker.sessions.chats import is_channel


class Feature(StrEnum):
    """Something that not everybody wants."""

    BULK = "bulk"
    """Bulks begin and go on. Those under way can be paused, cancelled and asked about all the same.
    """
    CALLS = "calls"
    """Calls are refused, one by one or all of them."""
    CHANNELS = "channels"
    """Channels are followed, read about and posted in."""
    HISTORY = "history"
    """What is stored can be asked for, and phones for what was written before."""
    INTERACTIVE = "interactive"
    """Buttons and lists are sent, which many of WhatsApp's apps show otherwise or not at all."""
    MEDIA_URL = "media_url"
    """Files and pages are fetched by URL; without it, links have no previews either."""
    STATUS = "status"
    """Posts to the account's status."""

    @classmethod
    def parse(cls, names: str) -> frozenset["Feature"]:
        """Read names with commas between them, `all`, or `none`.

        Raises:
            ValueError: One of them is no feature.
        """
        wanted = {name for part in names.split(",") if (name := part.strip())}
        if wanted in ({"all"}, {"none"}):
            return frozenset(cls) if wanted == {"all"} else frozenset()
        if wanted - set(cls):
            raise ValueError(f"not all, none, or names among {', '.join(cls)}")
        return frozenset(map(cls, wanted))


DEFAULT: Final = frozenset(Feature) - {Feature.INTERACTIVE}
"""What is on unless somebody says otherwise."""

_FAMILIES: Final = {
    "wa.call.": Feature.CALLS,
    "wa.channel.": Feature.CHANNELS,
    "wa.status.": Feature.STATUS,
    "wa.bulk.create.": Feature.BULK,
    "wa.bulk.resume.": Feature.BULK,
    "wa.message.history.": Feature.HISTORY,
    "wa.message.status.": Feature.HISTORY,
    "wa.chat.list.": Feature.HISTORY,
    "wa.contact.list.": Feature.HISTORY,
}
_OF_TYPES: Final = {
    command_type: feature
    for command_type in members(Command, "type")
    for beginning, feature in _FAMILIES.items()
    if command_type.startswith(beginning)
}
_INTERACTIVE: Final = frozenset({"buttons", "list_menu"})


def check(command: Command, features: frozenset[Feature]) -> None:
    """Refuse a command that asks for what is not switched on here.

    Raises:
        UnsupportedError: A feature that it needs is not among those.
    """
    needed = _OF_TYPES.get(command.type)
    if needed is not None:
        _need(needed, features)
    match command:
        case MessageSend():
            check_kind(command.data.content.kind, features)
            if Feature.CHANNELS not in features and is_channel(command.data.to):
                _need(Feature.CHANNELS, features)
        case SessionCreate() | SessionUpdate():
            calls = command.data.calls
            if calls is not None and calls.auto_reject:
                _need(Feature.CALLS, features)
            if command.data.history not in (None, HistoryDepth.OFF):
                _need(Feature.HISTORY, features)


def check_kind(kind: str, features: frozenset[Feature]) -> None:
    """Refuse a kind of content that is not switched on here.

    Raises:
        UnsupportedError: Its feature is not among those.
    """
    if kind in _INTERACTIVE:
        _need(Feature.INTERACTIVE, features)


def _need(feature: Feature, features: frozenset[Feature]) -> None:
    if feature not in features:
        raise UnsupportedError(f"the gateway's operator has not switched on {feature} (FEATURES)")
