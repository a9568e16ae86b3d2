"""App state: what the devices of an account share, in sealed patches that are only kept here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.protobuf import build_messages
from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession

_MESSAGES: Final = build_messages(
    "sandbox.app_state",
    {"Patch": {"version": (1, "Version")}, "Version": {"version": (1, "uint64")}},
)


def sync(session: DeviceSession, query: Node) -> Node | None:
    """Take new patches, and return those that the client does not have."""
    collections = query.require_child("sync").all("collection")
    found = tuple(_synced(session, item) for item in collections)
    return result(query, Node("sync", {}, found))


def _synced(session: DeviceSession, item: Node) -> Node:
    name, version = item.require("name"), int(item.get("version", "0"))
    kept = session.account.app_state.setdefault(name, [])
    uploaded = item.child("patch")
    if uploaded is not None:
        if version != len(kept):
            conflict = Node("error", {"code": "409", "text": "conflict"})
            return Node("collection", {"name": name, "type": "error"}, (conflict,))
        kept.append(_numbered(uploaded.data, len(kept) + 1))
        return Node("collection", {"name": name, "version": str(len(kept))})
    attrs: Attrs = {"name": name, "version": str(max(version, len(kept)))}
    patches = tuple(Node("patch", {}, patch) for patch in kept[version:])
    return Node("collection", attrs, (Node("patches", {}, patches),) if patches else None)


def _numbered(patch: bytes, version: int) -> bytes:
    """Return a patch with the version that the service gives it."""
    number = _MESSAGES["Patch"](version=_MESSAGES["Version"](version=version))
    data: bytes = patch + number.SerializeToString()
    return data


ANSWERS: Final = (Answer(xmlns="w:sync:app:state", type="set", child="sync", run=sync),)
