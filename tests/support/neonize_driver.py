"""The real, unmodified neonize in a process of its own, driven by JSON lines.

Started by `neonize_client.NeonizeClient`, with SSL_CERT_FILE in the environment. One event or
answer per line goes to the descriptor that was fd 1; one command per line comes in on fd 0; the end
of the input ends the process. Arguments: store, proxy URL, root key, address to resume or "".
"""

from __future__ import annotations

import base64
import ctypes
import hashlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

OUT = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # the library prints to fd 1

from google.protobuf import json_format  # noqa: E402
from neonize import client as neonize  # noqa: E402
from neonize import events  # noqa: E402
from neonize._binder import ProxySettings  # noqa: E402
from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as e2e  # noqa: E402
from neonize.utils.enum import MediaType, ParticipantChange, ReceiptType  # noqa: E402
from neonize.utils.jid import Jid2String, build_jid  # noqa: E402

PUBLISHED_ROOT = bytes.fromhex("142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b")
LOCK = threading.Lock()
FLAGS = (
    "IsEphemeral",
    "IsViewOnce",
    "IsViewOnceV2",
    "IsViewOnceV2Extension",
    "IsDocumentWithCaption",
)


def emit(kind: str, /, **values: Any) -> None:
    """Write one line."""
    with LOCK:
        OUT.write(json.dumps({"event": kind, **values}) + "\n")


def install_root(key: bytes) -> None:
    """Put the sandbox's root in the place of the published one in the library's data."""
    hits = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights = line.split()[:2]
        if "neonize-" in line and rights.startswith("rw"):
            start, end = (int(part, 16) for part in span.split("-"))
            offset = ctypes.string_at(start, end - start).find(PUBLISHED_ROOT)
            hits += [start + offset] if offset >= 0 else []
    assert len(hits) == 1, hits
    ctypes.memmove(hits[0], key, len(key))


def jid_of(text: str) -> Any:
    """Parse digits, `user@server` or `user:device@server`."""
    user, _, server = text.partition("@")
    user, _, device = user.partition(":")
    jid = build_jid(user, server or "s.whatsapp.net")
    jid.Device = int(device or 0)
    return jid


def describe(content: Any) -> dict[str, Any]:
    """Pick what tests compare out of a message."""
    if content.HasField("reactionMessage"):
        reaction = content.reactionMessage
        return {"kind": "reaction", "text": reaction.text, "target": reaction.key.ID}
    if content.HasField("protocolMessage"):
        protocol = content.protocolMessage
        edited = protocol.editedMessage
        text = edited.conversation or edited.extendedTextMessage.text
        return {"kind": f"protocol-{protocol.type}", "text": text, "target": protocol.key.ID}
    context = content.extendedTextMessage.contextInfo
    return {
        "kind": "text",
        "text": content.conversation or content.extendedTextMessage.text,
        "quoted": context.stanzaID,
        "quoted_text": context.quotedMessage.conversation
        or context.quotedMessage.extendedTextMessage.text,
        "mentions": list(context.mentionedJID),
    }


def on_message(_client: Any, event: Any) -> None:
    """Report a message; a sender key is one of its own, under the id of what comes with it."""
    source = event.Info.MessageSource
    if {field.name for field, _ in event.Message.ListFields()} == {"senderKeyDistributionMessage"}:
        emit("sender_key", id=event.Info.ID, chat=Jid2String(source.Chat))
        return
    emit(
        "message",
        id=event.Info.ID,
        from_me=source.IsFromMe,
        sender=Jid2String(source.Sender),
        sender_alt=Jid2String(source.SenderAlt),
        chat=Jid2String(source.Chat),
        name=event.Info.Pushname,
        content=json_format.MessageToDict(event.Message),
        flags=[name for name in FLAGS if getattr(event, name)],
        **describe(event.Message),
    )


def describe_group(group: Any) -> dict[str, Any]:
    """Pick what tests compare out of what the library knows of a group."""
    return {
        "group": Jid2String(group.JID),
        "subject": group.GroupName.Name,
        "description": group.GroupTopic.Topic,
        "admins_write": group.GroupAnnounce.IsAnnounce,
        "admins_edit": group.GroupLocked.isLocked,
        "ephemeral_seconds": group.GroupEphemeral.DisappearingTimer,
        "members": {Jid2String(one.JID): describe_member(one) for one in group.Participants},
    }


def describe_member(member: Any) -> dict[str, Any]:
    """Pick the same of a member, or of what became of a change of it."""
    number = Jid2String(member.PhoneNumber) if member.PhoneNumber.User else ""
    return {
        "number": number,
        "admin": member.IsAdmin,
        "error": member.Error,
        "invitation": member.AddRequest.Code,
    }


def on_group_change(_client: Any, event: Any) -> None:
    """Report what changed in a group."""
    people = {
        name.lower(): [Jid2String(one) for one in getattr(event, name)]
        for name in ("Join", "Leave", "Promote", "Demote")
    }
    parts = ("Name", "Topic", "Locked", "Announce", "Ephemeral")
    emit(
        "group_change",
        group=Jid2String(event.JID),
        by=Jid2String(event.Sender),
        changed=[name.lower() for name in parts if event.HasField(name)],
        subject=event.Name.Name,
        description=event.Topic.Topic,
        unknown=len(event.UnknownChanges),
        **people,
    )


def on_connected(client: Any, _event: Any) -> None:
    """Report the own addresses; the first is what `resume` takes."""
    me = client.get_me()
    emit("connected", jid=Jid2String(me.JID), lid=Jid2String(me.LID))


def watch(client: Any) -> None:
    """Report every event that tests ask for."""
    handlers = {
        events.ConnectedEv: on_connected,
        events.MessageEv: on_message,
        events.ReceiptEv: lambda _, e: emit(
            "receipt",
            ids=list(e.MessageIDs),
            type=e.Type,
            sender=Jid2String(e.MessageSource.Sender),
            chat=Jid2String(e.MessageSource.Chat),
        ),
        events.UndecryptableMessageEv: lambda _, e: emit(
            "undecryptable", id=e.Info.ID, unavailable=e.IsUnavailable
        ),
        events.ChatPresenceEv: lambda _, e: emit(
            "typing",
            chat=Jid2String(e.MessageSource.Chat),
            state=e.State,
            media=e.Media,
        ),
        events.JoinedGroupEv: lambda _, e: emit(
            "joined", type=e.Type, by=Jid2String(e.Sender), **describe_group(e.GroupInfo)
        ),
        events.GroupInfoEv: on_group_change,
        events.LoggedOutEv: lambda _, e: emit("logged_out", on_connect=e.OnConnect),
        events.DisconnectedEv: lambda _, _e: emit("disconnected"),
    }
    for kind, handler in handlers.items():
        client.event(kind)(handler)
    client.event.qr(lambda _, data: emit("qr", text=data.decode()))


def compose(command: dict[str, Any]) -> Any:
    """Build the message of a `send` command."""
    if not (command.get("quote") or command.get("mentions")):
        return command["text"]
    message = e2e.Message()
    message.extendedTextMessage.text = command["text"]
    context = message.extendedTextMessage.contextInfo
    context.mentionedJID.extend(command.get("mentions", ()))
    if quote := command.get("quote"):
        context.stanzaID, context.participant = quote["id"], quote["participant"]
        context.quotedMessage.conversation = quote["text"]
    return message


def burst(client: Any, command: dict[str, Any]) -> list[str]:
    """Send numbers, one after the other; returns the ids."""
    to = jid_of(command["to"])
    return [client.send_message(to, str(number)).ID for number in range(command["count"])]


def send_content(client: Any, command: dict[str, Any]) -> str:
    """Send content given as protojson; returns the id."""
    content = json_format.ParseDict(command["content"], e2e.Message())
    sent: str = client.send_message(jid_of(command["to"]), content).ID
    return sent


def upload(client: Any, command: dict[str, Any]) -> dict[str, Any]:
    """Upload a file; returns the fields of the content that announces it, as protojson."""
    kind = MediaType[f"Media{command['type'].capitalize()}"]
    done = client.upload(base64.b64decode(command["data"]), kind)
    key, sha256, sealed = done.MediaKey, done.FileSHA256, done.FileEncSHA256
    return {
        "URL": done.url,
        "directPath": done.DirectPath,
        "mediaKey": base64.b64encode(key).decode(),
        "fileSHA256": base64.b64encode(sha256).decode(),
        "fileEncSHA256": base64.b64encode(sealed).decode(),
        "fileLength": str(done.FileLength),
    }


def download(client: Any, command: dict[str, Any]) -> dict[str, Any]:
    """Download what content announces; returns its size and hash."""
    data = client.download_any(json_format.ParseDict(command["content"], e2e.Message()))
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def create_group(client: Any, command: dict[str, Any]) -> dict[str, Any]:
    """Make a group; returns what the library knows of it."""
    members = [jid_of(one) for one in command["members"]]
    return describe_group(client.create_group(command["subject"], members))


def change_members(client: Any, command: dict[str, Any]) -> dict[str, Any]:
    """Change members; returns what became of each."""
    members = [jid_of(one) for one in command["members"]]
    change = ParticipantChange(command["action"])
    results = client.update_group_participants(jid_of(command["group"]), members, change)
    return {Jid2String(one.JID): describe_member(one) for one in results}


def joined_groups(client: Any, _command: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the library is told of all its groups."""
    return [describe_group(one) for one in client.get_joined_groups()]


def rename_group(client: Any, command: dict[str, Any]) -> None:
    """Change a group's name."""
    client.set_group_name(jid_of(command["group"]), command["subject"])


def leave_group(client: Any, command: dict[str, Any]) -> None:
    """Leave a group."""
    client.leave_group(jid_of(command["group"]))


def known_group(client: Any, command: dict[str, Any]) -> dict[str, Any]:
    """Return what the library is told of a group, by its address or by a link to it."""
    if link := command.get("link"):
        return describe_group(client.get_group_info_from_link(link))
    return describe_group(client.get_group_info(jid_of(command["group"])))


def group_link(client: Any, command: dict[str, Any]) -> str:
    """Return a group's link, or make a new one."""
    link: str = client.get_group_invite_link(jid_of(command["group"]), command["renew"])
    return link


def join_group(client: Any, command: dict[str, Any]) -> str:
    """Enter the group that a link leads to; returns its address."""
    return str(Jid2String(client.join_group_with_link(command["link"])))


COMMANDS = {
    "burst": burst,
    "change_members": change_members,
    "create_group": create_group,
    "download": download,
    "group": known_group,
    "group_link": group_link,
    "groups": joined_groups,
    "join_group": join_group,
    "leave_group": leave_group,
    "rename_group": rename_group,
    "send_content": send_content,
    "upload": upload,
}


def perform(client: Any, command: dict[str, Any]) -> Any:
    """Run one command."""
    run = COMMANDS.get(command["do"])
    if run is not None:
        return run(client, command)
    match command["do"]:
        case "send":
            return client.send_message(jid_of(command["to"]), compose(command)).ID
        case "pair_code":
            return client.PairPhone(command["number"], show_push_notification=True)
        case "read":
            chat = jid_of(command["chat"])
            sender = jid_of(command.get("sender", command["chat"]))
            client.mark_read(*command["ids"], chat=chat, sender=sender, receipt=ReceiptType.READ)
        case "react":
            chat, sender = jid_of(command["chat"]), jid_of(command["sender"])
            built = client.build_reaction(chat, sender, command["id"], command["emoji"])
            return client.send_message(chat, built).ID
        case "logout":
            client.logout()
        case unknown:
            raise ValueError(f"unknown command {unknown}")
    return None


def serve(client: Any) -> None:
    """Take commands until the input ends, each in a thread of its own."""

    def run(command: dict[str, Any]) -> None:
        try:
            emit("done", n=command["n"], value=perform(client, command))
        except Exception as error:  # noqa: BLE001 - handed to the test
            emit("failed", n=command["n"], error=str(error))

    for line in sys.stdin:
        threading.Thread(target=run, args=(json.loads(line),), daemon=True).start()
    client.stop()
    os._exit(0)


def main() -> None:
    """Connect and stay until the input ends."""
    store, proxy, root, resume = sys.argv[1:5]
    install_root(bytes.fromhex(root))
    neonize.NewClient._NewClient__onLoginStatus = lambda _self, _uuid, status: emit(
        "login_status", status=ctypes.string_at(status).decode()
    )
    client = neonize.NewClient(store, jid=jid_of(resume) if resume else None, uuid="driven")
    watch(client)
    threading.Thread(target=serve, args=(client,), daemon=True).start()
    try:
        client.connect(ProxySettings(proxy_address=proxy))
    except Exception as error:  # noqa: BLE001 - handed to the test
        emit("connect_failed", error=str(error))


if __name__ == "__main__":
    main()
