"""A real neonize client as a process of its own: JSON lines out (events) and in (commands).

Run with SSL_CERT_FILE in the environment; arguments: proxy URL, root key in hex, store, jid or "".
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

OUT = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # the library prints to fd 1

PROXY, ROOT, STORE, RESUME = sys.argv[1:5]

from neonize import client as neonize_client  # noqa: E402
from neonize._binder import ProxySettings  # noqa: E402
from neonize.client import NewClient  # noqa: E402
from neonize.events import (  # noqa: E402
    ClientOutdatedEv,
    ConnectedEv,
    ConnectFailureEv,
    DisconnectedEv,
    LoggedOutEv,
    MessageEv,
    OfflineSyncCompletedEv,
    PresenceEv,
    ReceiptEv,
    StreamErrorEv,
    StreamReplacedEv,
    TemporaryBanEv,
    UndecryptableMessageEv,
)
from neonize.utils.enum import ReceiptType  # noqa: E402
from neonize.utils.jid import Jid2String, build_jid  # noqa: E402

OFFICIAL_ROOT = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")


def install_root(key: bytes) -> None:
    """Overwrite the one copy of the service's root key in the library's writable data."""
    hits = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split()
        if "neonize" not in line or not fields[1].startswith("rw"):
            continue
        start, end = (int(part, 16) for part in fields[0].split("-"))
        at = ctypes.string_at(start, end - start).find(OFFICIAL_ROOT)
        if at >= 0:
            hits.append(start + at)
    assert len(hits) == 1, hits
    ctypes.memmove(hits[0], key, len(key))


def emit(event: str, **values: Any) -> None:
    """Write one line."""
    OUT.write(json.dumps({"event": event, **values}) + "\n")


def on_message(client: NewClient, event: MessageEv) -> None:
    """Report a message."""
    message = event.Message
    emit(
        "message",
        id=event.Info.ID,
        text=message.conversation or message.extendedTextMessage.text,
        from_me=event.Info.MessageSource.IsFromMe,
        sender=Jid2String(event.Info.MessageSource.Sender),
        sender_alt=Jid2String(event.Info.MessageSource.SenderAlt),
        chat=Jid2String(event.Info.MessageSource.Chat),
        name=event.Info.Pushname,
    )


def on_connected(client: NewClient, _event: ConnectedEv) -> None:
    """Report the own address, so that it can be resumed."""
    me = client.get_me()
    emit("connected", jid=Jid2String(me.JID), lid=Jid2String(me.LID))


def on_login_status(_client: NewClient, _uuid: int, status: int) -> None:
    """Report how pairing ended."""
    emit("login_status", status=ctypes.string_at(status).decode())


def watch(client: NewClient) -> None:
    """Report everything else."""
    client.event(ConnectedEv)(on_connected)
    client.event(MessageEv)(on_message)
    client.event(ReceiptEv)(
        lambda _, e: emit(
            "receipt",
            ids=list(e.MessageIDs),
            type=e.Type,
            sender=Jid2String(e.MessageSource.Sender),
        )
    )
    client.event(LoggedOutEv)(
        lambda _, e: emit("logged_out", reason=e.Reason, on_connect=e.OnConnect)
    )
    client.event(StreamErrorEv)(lambda _, e: emit("stream_error", code=e.Code))
    client.event(ConnectFailureEv)(lambda _, e: emit("connect_failure", reason=e.Reason))
    client.event(TemporaryBanEv)(lambda _, e: emit("banned", code=e.Code, expire=e.Expire))
    client.event(UndecryptableMessageEv)(lambda _, e: emit("undecryptable", id=e.Info.ID))
    client.event(PresenceEv)(
        lambda _, e: emit("presence", jid=Jid2String(e.From), unavailable=e.Unavailable)
    )
    for name, kind in {
        "disconnected": DisconnectedEv,
        "replaced": StreamReplacedEv,
        "outdated": ClientOutdatedEv,
        "offline_done": OfflineSyncCompletedEv,
    }.items():
        client.event(kind)(lambda _client, _event, name=name: emit(name))


def parse_jid(text: str) -> Any:
    """Digits or an address."""
    user, _, server = text.partition("@")
    return build_jid(user, server or "s.whatsapp.net")


def perform(client: NewClient, command: dict[str, Any]) -> Any:
    """Run one command."""
    match command["do"]:
        case "send":
            return client.send_message(parse_jid(command["to"]), command["text"]).ID
        case "pair_code":
            return client.PairPhone(command["number"], show_push_notification=True)
        case "read":
            chat = parse_jid(command["chat"])
            client.mark_read(*command["ids"], chat=chat, sender=chat, receipt=ReceiptType.READ)
        case "lookup":
            found = client.is_on_whatsapp(*command["numbers"])
            return [[item.Query, item.IsIn] for item in found]
        case "logout":
            client.logout()
        case "devices":
            found = client.get_user_devices(*[parse_jid(one) for one in command["of"]])
            return [Jid2String(one) for one in found]
        case "blocklist":
            return [Jid2String(one) for one in client.get_blocklist().JIDs]
    return None


def serve(client: NewClient) -> None:
    """Take commands until the input ends; each runs in a thread of its own."""
    for line in sys.stdin:
        command = json.loads(line)

        def run(command: dict[str, Any] = command) -> None:
            try:
                emit("done", n=command["n"], value=perform(client, command))
            except Exception as error:  # noqa: BLE001
                emit("failed", n=command["n"], error=str(error))

        threading.Thread(target=run, daemon=True).start()
    client.stop()
    os._exit(0)


def main() -> None:
    """Connect and stay."""
    install_root(bytes.fromhex(ROOT))
    neonize_client.NewClient._NewClient__onLoginStatus = on_login_status
    jid = None
    if RESUME:
        user, _, server = RESUME.partition("@")
        number, _, device = user.partition(":")
        jid = build_jid(number, server)
        jid.Device = int(device or 0)
    client = NewClient(STORE, jid=jid, uuid="wire")
    client.event.qr(lambda _, data: emit("qr", text=data.decode()))
    watch(client)
    threading.Thread(target=serve, args=(client,), daemon=True).start()
    try:
        client.connect(ProxySettings(proxy_address=PROXY))
    except Exception as error:  # noqa: BLE001
        emit("connect_failed", error=str(error))


main()
