"""The library's message classes, without the library.

Importing anything below `neonize` would start its native side in the test's process, so its
directory of messages is put on the path, as the library itself does.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any


def _messages() -> tuple[Any, Any]:
    found = importlib.util.find_spec("neonize")
    assert found is not None
    assert found.submodule_search_locations is not None
    path = str(Path(found.submodule_search_locations[0], "proto"))
    sys.path.insert(0, path)
    try:
        events = importlib.import_module("Neonize_pb2")
        content = importlib.import_module("waE2E.WAWebProtobufsE2E_pb2")
    finally:
        sys.path.remove(path)
    return events, content


events, e2e = _messages()

PN = "s.whatsapp.net"
ADA = "12025550101"
ADA_LID = "900100101"
OWN = "12025550100"
OWN_LID = "900100100"


def jid(user: str = "", server: str = PN, *, device: int = 0) -> Any:
    """Return a JID; without a user it is the empty one that stands for none."""
    return events.JID(
        User=user,
        Server=server if user else "",
        Device=device,
        RawAgent=0,
        Integrator=0,
        IsEmpty=not user,
    )


def source(  # noqa: PLR0913 - as many as the message has
    *,
    chat: Any = None,
    sender: Any = None,
    sender_alt: Any = None,
    recipient_alt: Any = None,
    from_me: bool = False,
    is_group: bool = False,
) -> Any:
    """Return who wrote where; without arguments Ada wrote to the account."""
    return events.MessageSource(
        Chat=chat or jid(ADA_LID, "lid"),
        Sender=sender or jid(ADA_LID, "lid", device=3),
        SenderAlt=sender_alt or jid(ADA, device=3),
        RecipientAlt=recipient_alt or jid(),
        BroadcastListOwner=jid(),
        IsFromMe=from_me,
        IsGroup=is_group,
    )


def message_event(
    content: Any,
    *,
    message_id: str = "3EB0AA",
    push_name: str = "Ada",
    timestamp: int = 1_767_225_600_000,
    where: Any = None,
) -> Any:
    """Return a message event as the library hands it over: written out and read again."""
    event = events.Message(
        Info=events.MessageInfo(
            MessageSource=where or source(),
            ID=message_id,
            ServerID=0,
            Type="text",
            Pushname=push_name,
            Timestamp=timestamp,
            Category="",
            Multicast=False,
            MediaType="",
            Edit="",
        ),
        Message=content,
        IsEphemeral=False,
        IsViewOnce=False,
        IsViewOnceV2=False,
        IsViewOnceV2Extension=False,
        IsDocumentWithCaption=False,
        IsLottieSticker=False,
        IsEdit=False,
        UnavailableRequestID="",
        RetryCount=0,
    )
    return events.Message.FromString(event.SerializeToString())


def receipt_event(
    kind: int,
    *,
    ids: tuple[str, ...] = ("3EB0AA",),
    where: Any = None,
    timestamp: int = 1_767_225_600,
) -> Any:
    """Return a receipt event as the library hands it over."""
    return events.Receipt(
        MessageSource=where or source(), MessageIDs=ids, Timestamp=timestamp, Type=kind
    )
