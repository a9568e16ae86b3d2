"""Who may write to whom for the first time: time locks, and the tokens that open them.

An account that is time-locked gets 463 for a message to somebody with whom it has exchanged none,
unless that one gave it a privacy token, which its companions then send along.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from gateway_worker.sandbox.service.pushing import push
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Account

REACHOUT_TIMELOCKED: Final = "463"
TOKEN_SECONDS: Final = 28 * 86400
TOKEN_BYTES: Final = 11
NO_TIMELOCK: Final = "DEFAULT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timelock:
    """The time in which an account may not begin chats.

    Attributes:
        until: aware.
        kind: the service's reason, such as `WEB_COMPANION_ONLY` or `BIZ_QUALITY`.
    """

    until: datetime
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactToken:
    """What an account gives to somebody who may write to it."""

    data: bytes
    given_at: int


def is_refused(sender: Account, target: Account | None, message: Node) -> bool:
    """Tell whether a message would begin a chat that its sender may not begin."""
    lock = sender.timelock
    if lock is None or target is None or target is sender or datetime.now(UTC) >= lock.until:
        return False
    if target.lid.user in sender.chats:
        return False
    return not _has_token(sender, target, message)


def remember_chat(sender: Account, target: Account) -> None:
    """Note that two accounts have exchanged a message."""
    sender.chats.add(target.lid.user)
    target.chats.add(sender.lid.user)


def set_timelock(account: Account, timelock: Timelock | None) -> None:
    """Lock an account, or end its lock; its companions are told."""
    account.timelock = timelock
    field = "xwa2_notify_account_reachout_timelock"
    content = json.dumps({"data": {field: timelock_fields(account)}}).encode()
    update = Node("update", {"op_name": "NotificationUserReachoutTimelockUpdate"}, content)
    for companion in account.companions:
        push(companion, Node("notification", {"type": "mex"}, (update,)))


def timelock_fields(account: Account) -> dict[str, Any]:
    """Return what the service tells of an account's time lock."""
    lock = account.timelock
    if lock is None or datetime.now(UTC) >= lock.until:
        return {
            "is_active": False,
            "enforcement_type": NO_TIMELOCK,
            "time_enforcement_ends": "0",
        }
    ends = str(int(lock.until.timestamp()))
    return {"is_active": True, "enforcement_type": lock.kind, "time_enforcement_ends": ends}


def give_token(giver: Account, receiver: Account) -> ContactToken:
    """Give somebody a privacy token; the receiver's companions are told."""
    token = ContactToken(data=secrets.token_bytes(TOKEN_BYTES), given_at=int(time.time()))
    giver.contact_tokens[receiver.lid.user] = token
    attrs: Attrs = {"type": "privacy_token", "from": giver.number, "sender_lid": giver.lid}
    if giver.hides_number:
        attrs["from"] = giver.lid
    given: Attrs = {"type": "trusted_contact", "t": str(token.given_at)}
    tokens = Node("tokens", {}, (Node("token", given, token.data),))
    for companion in receiver.companions:
        push(companion, Node("notification", dict(attrs), (tokens,)))
    return token


def _has_token(sender: Account, target: Account, message: Node) -> bool:
    token, shown = target.contact_tokens.get(sender.lid.user), message.child("tctoken")
    if token is None or shown is None:
        return False
    return shown.data == token.data and time.time() < token.given_at + TOKEN_SECONDS
