"""An emoji beside a message."""

import time
from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

_EMOJI_CHARACTERS: Final = 64


def _compose(content: Content, composing: Composing) -> Any:
    reaction = composing.library.ReactionMessage(
        key=composing.about,
        text=content["emoji"],
        senderTimestampMS=time.time_ns() // 1_000_000,  # the later one counts, whichever comes last
    )
    return composing.library.Message(reactionMessage=reaction)


def _convert(value: Any, _people: People) -> Converted:
    return Converted(
        content={"kind": "reaction", "emoji": short(value.text, _EMOJI_CHARACTERS)},
        is_partial=len(value.text) > _EMOJI_CHARACTERS,
        about=value.key,
    )


KIND: Final = Kind(
    name="reaction",
    compose=_compose,
    fields={"reactionMessage": _convert},
    event="wa.message.reaction.v1",
)
