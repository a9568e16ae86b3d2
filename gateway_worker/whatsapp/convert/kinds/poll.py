"""A question with answers to choose from."""

import secrets
from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People
from gateway_worker.whatsapp.convert.texts import short

_SECRET_BYTES: Final = 32
_MOST_OPTIONS: Final = 100
_TEXT_CHARACTERS: Final = 4_096
_MOST: Final = 1_000_000


def _compose(content: Content, composing: Composing) -> Any:
    library, options = composing.library, content["options"]
    count = content.get("selectable_count", 1)
    poll = library.PollCreationMessage(
        name=content["question"],
        options=[library.PollCreationMessage.Option(optionName=option) for option in options],
        selectableOptionsCount=count if count < len(options) else 0,
        contextInfo=composing.context,
    )
    # Votes are encrypted with it.
    secret = library.MessageContextInfo(messageSecret=secrets.token_bytes(_SECRET_BYTES))
    return library.Message(pollCreationMessage=poll, messageContextInfo=secret)


def _convert(value: Any, _people: People) -> Converted:
    options = [option.optionName for option in value.options[:_MOST_OPTIONS]]
    texts = [value.name, *options]
    content = {
        "kind": "poll",
        "question": short(value.name, _TEXT_CHARACTERS),
        "options": [short(option, _TEXT_CHARACTERS) for option in options],
        "selectable_count": min(value.selectableOptionsCount, _MOST),
    }
    is_cut = len(value.options) > _MOST_OPTIONS or any(len(one) > _TEXT_CHARACTERS for one in texts)
    return Converted(content=content, is_partial=is_cut)


KIND: Final = Kind(
    name="poll",
    compose=_compose,
    quote=_compose,
    fields={
        "pollCreationMessage": _convert,
        "pollCreationMessageV2": _convert,
        "pollCreationMessageV3": _convert,
        "pollCreationMessageV5": _convert,
        "pollCreationMessageV6": _convert,
    },
)
