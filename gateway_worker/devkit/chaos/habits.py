"""What the backend writes: each session in its own way, and changes of what it has written."""

import random
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from gateway_contracts import (
    AudioToSend,
    CommandSucceeded,
    ContactCardToSend,
    ContactToSend,
    DocumentToSend,
    EditToSend,
    ImageToSend,
    LocationToSend,
    MessageTarget,
    ObjectSource,
    PollToSend,
    ReactionToSend,
    RevokeToSend,
    SentInfo,
    StatusText,
    StickerToSend,
    TextToSend,
    UrlSource,
    VoiceToSend,
)
from gateway_worker.devkit.chaos.contents import (
    DOCUMENT_KEY,
    PICTURE_KEY,
    VCARD,
    reaction_label,
    revoke_label,
)
from gateway_worker.devkit.chaos.labelled_files import LabelledFiles
from gateway_worker.devkit.received import ReceivedEvent

TEXT_SHARES: Final = (0.3, 0.55, 0.8)
"""Of sessions that write mostly other things, of most, and of those that hardly do."""
LEAST_WEIGHT: Final = 0.1
OPTIONS: Final = ("yes", "no")
EMOJIS: Final = ("\N{THUMBS UP SIGN}", "\N{HEAVY BLACK HEART}", "\N{FACE WITH TEARS OF JOY}", "")
REMEMBERED: Final = 20

ToSend = (
    TextToSend
    | ImageToSend
    | DocumentToSend
    | AudioToSend
    | VoiceToSend
    | StickerToSend
    | LocationToSend
    | ContactToSend
    | PollToSend
    | EditToSend
    | ReactionToSend
    | RevokeToSend
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is to be sent.

    Attributes:
        label: What it is known by at the phone.
        about: The message that it changes, or reacts to; empty if it is one of its own.
        counted: What it is counted as, if not as its kind.
    """

    content: ToSend | StatusText
    label: str
    about: str = ""
    counted: str = ""

    @property
    def kind(self) -> str:
        """What it is counted as."""
        return self.counted or self.content.kind


class OwnTexts:
    """The texts that a backend has been told were sent, as far as it may still change them."""

    def __init__(self) -> None:
        self._awaited: set[str] = set()
        self._texts: defaultdict[str, deque[str]] = defaultdict(partial(deque, maxlen=REMEMBERED))

    def expect(self, command_id: str) -> None:
        """Note that a command sends a text."""
        self._awaited.add(command_id)

    def on_arrival(self, arrival: ReceivedEvent) -> None:
        """Note what has become of it."""
        event = arrival.event
        if isinstance(event, CommandSucceeded) and event.correlationid in self._awaited:
            self._awaited.discard(event.correlationid)
            if isinstance(event.data.result, SentInfo):
                self._texts[event.subject].append(event.data.result.message_id)

    def draw(self, session_id: str, dice: random.Random) -> str | None:
        """Return one of a session's; None if there is none."""
        texts = self._texts[session_id]
        return dice.choice(texts) if texts else None

    def take(self, session_id: str, dice: random.Random) -> str | None:
        """Return one that nobody gets any more."""
        found = self.draw(session_id, dice)
        if found is not None:
            self._texts[session_id].remove(found)
        return found


class Habits:
    """How one session writes: how many texts, and what else it prefers.

    Args:
        dice: Of these and of all that is drawn.
    """

    def __init__(
        self, *, session_id: str, files: LabelledFiles, texts: OwnTexts, dice: random.Random
    ) -> None:
        self._session_id = session_id
        self._files = files
        self._texts = texts
        self._dice = dice
        self._text_share = dice.choice(TEXT_SHARES)
        self._weights = [dice.expovariate(1) + LEAST_WEIGHT for _ in (*_PLAIN, *self._changes())]
        self._reacted: set[str] = set()

    def draw(self, label: str) -> Drawn:
        """Draw what is sent under a label; what changes nothing but itself may have another one."""
        if self._dice.random() < self._text_share:
            return _text(label)
        kinds = [*_PLAIN, *self._changes()]
        (kind,) = self._dice.choices(kinds, weights=self._weights)
        if kind in _PLAIN:
            return Drawn(content=_PLAIN[kind](label, self._files), label=label)
        return self._changes()[kind](label) or _text(label)

    def _changes(self) -> Mapping[str, Callable[[str], Drawn | None]]:
        return {"edit": self._edit, "reaction": self._reaction, "revoke": self._revoke}

    def _edit(self, label: str) -> Drawn | None:
        target = self._texts.draw(self._session_id, self._dice)
        if target is None:
            return None
        content = EditToSend(target=MessageTarget(message_id=target), text=label)
        return Drawn(content=content, label=label, about=target)

    def _reaction(self, _label: str) -> Drawn | None:
        """React to something in a way in which that was not reacted to before."""
        target = self._texts.draw(self._session_id, self._dice)
        if target is None:
            return None
        emoji = self._dice.choice(EMOJIS)
        label = reaction_label(target, emoji)
        if label in self._reacted:
            return None
        self._reacted.add(label)
        content = ReactionToSend(target=MessageTarget(message_id=target), emoji=emoji)
        return Drawn(content=content, label=label, about=target)

    def _revoke(self, _label: str) -> Drawn | None:
        target = self._texts.take(self._session_id, self._dice)
        if target is None:
            return None
        content = RevokeToSend(target=MessageTarget(message_id=target))
        return Drawn(content=content, label=revoke_label(target), about=target)


def _text(label: str) -> Drawn:
    return Drawn(content=TextToSend(text=label), label=label)


def _image(label: str, _files: LabelledFiles) -> ToSend:
    return ImageToSend(media=ObjectSource(key=PICTURE_KEY), caption=label)


def _document(label: str, _files: LabelledFiles) -> ToSend:
    return DocumentToSend(media=ObjectSource(key=DOCUMENT_KEY), file_name="a.txt", caption=label)


def _audio(label: str, files: LabelledFiles) -> ToSend:
    return AudioToSend(media=UrlSource(url=files.url("sound", label)))


def _voice(label: str, files: LabelledFiles) -> ToSend:
    return VoiceToSend(media=UrlSource(url=files.url("sound", label)))


def _sticker(label: str, files: LabelledFiles) -> ToSend:
    return StickerToSend(media=UrlSource(url=files.url("sticker", label)))


def _location(label: str, _files: LabelledFiles) -> ToSend:
    return LocationToSend(latitude=52.5, longitude=13.4, place=label)


def _contact(label: str, _files: LabelledFiles) -> ToSend:
    return ContactToSend(cards=(ContactCardToSend(display_name=label, vcard=VCARD),))


def _poll(label: str, _files: LabelledFiles) -> ToSend:
    return PollToSend(question=label, options=OPTIONS)


_PLAIN: Final[Mapping[str, Callable[[str, LabelledFiles], ToSend]]] = {
    "image": _image,
    "document": _document,
    "audio": _audio,
    "voice": _voice,
    "sticker": _sticker,
    "location": _location,
    "contact": _contact,
    "poll": _poll,
}
