"""A host that only empties a spool: no network, no library, and then it leaves.

What a session had received and nobody had committed when it went elsewhere is told by the same
conversion as it would have been, so that it is recognised where it is known already. Imported after
the fork, by such a host only.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

from neonize.proto.Neonize_pb2 import Message, MessageInfo, MessageSource
from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import PollVoteMessage
from neonize.proto.waWeb.WAWebProtobufsWeb_pb2 import WebMessageInfo

from gateway_worker.host_protocol.envelope import (
    Ack,
    HistoryTaken,
    Request,
    Response,
    Start,
    Stop,
    ToHost,
)
from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.host_protocol.wire import Person
from gateway_worker.whatsapp.convert.opening import MessageSecret, opened_past
from gateway_worker.whatsapp.convert.people import People, PhoneOf, without_device
from gateway_worker.whatsapp.convert.votes import open_vote
from gateway_worker.whatsapp.host.history_reader import HistoryReader
from gateway_worker.whatsapp.host.ignoring import IgnoredArrivals
from gateway_worker.whatsapp.host.message_secrets import QUERY, secrets_in
from gateway_worker.whatsapp.host.quarantine import Quarantine
from gateway_worker.whatsapp.host.spool import Spool
from gateway_worker.whatsapp.host.spool_sender import SpoolSender
from gateway_worker.whatsapp.ipc.blocking import BlockingChannel

_PHONE: Final = "SELECT pn FROM whatsmeow_lid_map WHERE lid = ?"
_SECRETS: Final = "SELECT sender_jid, key FROM whatsmeow_message_secrets WHERE message_id = ?"
_DEVICES: Final = "SELECT jid, lid, push_name, business_name FROM whatsmeow_device"


def replay(*, start: Start, channel: BlockingChannel, spool: Spool) -> None:
    """Tell all that is in the spool, and of the history, and return when it is acknowledged.

    Or when told to stop.

    Raises:
        OSError: The worker is gone.
    """
    store = _store_of(Path(start.directory), start.device_store)
    people = People(phone_of=_phone_of(store), own=_own(store, start.resume_jid))
    secrets_of = partial(_secrets_of, store)
    ignoring = IgnoredArrivals(info_class=MessageInfo, source_class=MessageSource)
    ignoring.set(start.settings.ignored, start.settings.ignored_chats)
    sender = SpoolSender(
        spool=spool,
        people=people,
        send=channel.send,
        in_flight=start.in_flight,
        quarantine=Quarantine(directory=Path(start.directory)),
        open_vote=partial(_open_vote, store),
        secrets_of=secrets_of,
        ignoring=ignoring,
    )
    history = HistoryReader(
        directory=Path(start.directory),
        message_class=WebMessageInfo,
        people=people,
        ignoring=ignoring,
        send=channel.send,
        open_past=partial(opened_past, people=people, secrets_of=secrets_of),
    )
    history.set(start.settings.history)
    sender.send_waiting()
    history.send_next()
    while spool.pending or not history.is_idle:
        for frame in channel.receive():
            if isinstance(frame, Stop):
                return
            _answer(frame, channel, sender, history)
        sender.send_waiting()
        history.send_next()


def _answer(
    frame: ToHost, channel: BlockingChannel, sender: SpoolSender, history: HistoryReader
) -> None:
    match frame:
        case Ack(record=record, beyond=beyond):
            sender.acknowledge(record, beyond)
        case HistoryTaken(page=page):
            history.acknowledge(page)
        case Request(request=request):
            failure = Failure(kind=FailureKind.NOT_CONNECTED, detail="there is no connection")
            channel.send(Response(request=request, failure=failure))
        case _:
            pass


def _store_of(directory: Path, name: str) -> Path | None:
    """Return the device store of a directory, or of the one that it is in."""
    for place in (directory, directory.parent):
        if (place / name).exists():
            return place / name
    return None


def _rows(store: Path | None, query: str, *values: str) -> list[tuple[str | None, ...]]:
    if store is None:
        return []
    try:
        with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()
    except sqlite3.Error:  # damaged, or of another release: the LID has to do
        return []


def _phone_of(store: Path | None) -> PhoneOf:
    known: dict[str, str | None] = {}

    def phone_of(lid: str) -> str | None:
        if lid not in known:
            rows = _rows(store, _PHONE, lid)
            known[lid] = rows[0][0] if rows else None
        return known[lid]

    return phone_of


def _open_vote(store: Path | None, event: bytes) -> Sequence[bytes] | None:
    def secret_of(message_id: str) -> Sequence[tuple[str, bytes]]:
        rows: Iterable[tuple[Any, ...]] = _rows(store, _SECRETS, message_id)
        return [(without_device(writer), secret) for writer, secret in rows]

    opened = open_vote(Message.FromString(event), secret_of=secret_of)
    return None if opened is None else PollVoteMessage.FromString(opened).selectedOptions


def _secrets_of(store: Path | None, chat: str, message_id: str) -> Sequence[MessageSecret]:
    return secrets_in(_rows(store, QUERY, chat, message_id))


def _own(store: Path | None, resume_jid: str | None) -> Person | None:
    for jid, lid, push_name, business_name in _rows(store, _DEVICES):
        if jid is not None and resume_jid in (None, jid):
            return Person(
                jid=jid,
                lid=lid or None,
                phone_number=f"+{without_device(jid).partition('@')[0]}",
                push_name=push_name or business_name or None,
            )
    return None
