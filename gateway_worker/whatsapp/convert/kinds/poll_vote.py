"""What somebody has chosen in a poll.

It is encrypted with a secret of the poll's, which only the library's store has: the host seals what
is composed here, and opens what has arrived.
"""

import time
from typing import Any, Final

from gateway_worker.whatsapp.convert.kinds.kind import Composing, Content, Converted, Kind
from gateway_worker.whatsapp.convert.people import People


def _compose(_content: Content, composing: Composing) -> Any:
    update = composing.library.PollUpdateMessage(
        pollCreationMessageKey=composing.about, senderTimestampMS=time.time_ns() // 1_000_000
    )
    return composing.library.Message(pollUpdateMessage=update)


def _convert(value: Any, _people: People) -> Converted:
    content = {"kind": "poll_vote", "state": "undecryptable"}
    return Converted(content=content, about=value.pollCreationMessageKey, is_sealed=True)


KIND: Final = Kind(
    name="poll_vote",
    compose=_compose,
    fields={"pollUpdateMessage": _convert},
    event="wa.poll.vote.v1",
)
