"""Calls, as far as a companion hears of them: one rings, is refused, or is over.

Nothing is ever said in one: only the stanzas of the signalling are here. What companions are sent
waits for them until they confirm it, as with the real service.
"""

from __future__ import annotations

import enum
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.errors import UnknownCallError
from gateway_worker.sandbox.service.pushing import push
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.wire.jid import Jid


class CallState(enum.StrEnum):
    """Where a call stands."""

    RINGING = "ringing"
    REJECTED = "rejected"
    ENDED = "ended"


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """One call; mutable state of the service.

    Attributes:
        call_id: chosen by the caller's device.
        caller: whose phone calls.
        callee: who is called.
        group: of a call in a group, its address.
        video: with pictures.
        state: where it stands.
        rejected_by: LID address of the device that refused it.
    """

    call_id: str
    caller: Account
    callee: Account
    group: Jid | None
    video: bool
    state: CallState = CallState.RINGING
    rejected_by: Jid | None = None


class Calls:
    """The calls of the service, by their ids."""

    def __init__(self) -> None:
        """Start with none."""
        self._calls: dict[str, Call] = {}

    def ring(
        self, caller: Account, callee: Account, *, video: bool = False, group: Jid | None = None
    ) -> Call:
        """Let the companions of an account hear that its phone is called.

        Args:
            caller: whose phone calls.
            callee: who is called.
            video: with pictures.
            group: of a call in a group, its address: companions then get a notice without an offer.
        """
        call = Call(
            call_id=secrets.token_hex(16).upper(),
            caller=caller,
            callee=callee,
            group=group,
            video=video,
        )
        self._calls[call.call_id] = call
        self._tell(call, _offer(call) if group is None else _notice(call))
        return call

    def end(self, caller: Account, call_id: str, *, reason: str = "") -> None:
        """Let a call be over: the callee's companions are told, with the reason if there is one.

        Raises:
            UnknownCallError: this account has placed no such call.
        """
        call = self.placed_by(caller, call_id)
        call.state = CallState.ENDED
        attrs: Attrs = {**_of(call), **({"reason": reason} if reason else {})}
        self._tell(call, Node("terminate", attrs))

    def placed_by(self, caller: Account, call_id: str) -> Call:
        """Return a call.

        Raises:
            UnknownCallError: this account has placed no such call.
        """
        call = self._calls.get(call_id)
        if call is None or call.caller is not caller:
            raise UnknownCallError("this phone has placed no such call")
        return call

    def reject(self, callee: Account, device: Jid, call_id: str) -> None:
        """Take a refusal of a companion; one of a call that nobody knows changes nothing.

        Args:
            callee: whose companion it is.
            device: its LID address.
            call_id: the call.
        """
        call = self._calls.get(call_id)
        if call is not None and call.callee is callee and call.state is CallState.RINGING:
            call.state = CallState.REJECTED
            call.rejected_by = device

    def _tell(self, call: Call, content: Node) -> None:
        stanza = Node("call", {"from": call.caller.lid}, (content,))
        for record in call.callee.companions:
            push(record, stanza)


def _of(call: Call) -> Attrs:
    attrs: Attrs = {"call-id": call.call_id, "call-creator": call.caller.lid}
    if not call.caller.hides_number:
        attrs["caller_pn"] = call.caller.number
    if call.group is not None:
        attrs["group-jid"] = call.group
    return attrs


def _offer(call: Call) -> Node:
    sound = Node("audio", {"enc": "opus", "rate": "16000"})
    pictures = (Node("video", {"enc": "vp8"}),) if call.video else ()
    return Node("offer", _of(call), (sound, *pictures))


def _notice(call: Call) -> Node:
    media = "video" if call.video else "audio"
    return Node("offer_notice", {**_of(call), "media": media, "type": "group"})
