"""The stage of a newcomer: it shows a QR or a code and waits until a phone links it."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import TYPE_CHECKING, Final

import structlog

from gateway_worker.sandbox.adv import companion_signed
from gateway_worker.sandbox.server.stanzas import error, result, stream_error
from gateway_worker.sandbox.service.errors import PairingRefusedError
from gateway_worker.sandbox.service.faults import StreamEnd
from gateway_worker.sandbox.service.pairing import PairCodeFinish, PairCodeHello
from gateway_worker.sandbox.wire.jid import SERVER, Jid
from gateway_worker.sandbox.wire.node import Attrs, Node, now

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.connection import Connection
    from gateway_worker.sandbox.server.unknown import UnknownQueries
    from gateway_worker.sandbox.service.linking import CompanionLinking
    from gateway_worker.sandbox.service.pairing import CompanionKeys

ANSWER_TIMEOUT_SECONDS: Final = 30.0

log = structlog.get_logger(__name__)


class PairingStage:
    """A `Stage` of the connection and the service's `Companion`."""

    def __init__(
        self,
        *,
        connection: Connection,
        keys: CompanionKeys,
        linking: CompanionLinking,
        unknown: UnknownQueries,
    ) -> None:
        """Prepare; `start` makes the offer."""
        self._connection = connection
        self._keys = keys
        self._linking = linking
        self._unknown = unknown
        self._answer: asyncio.Future[bytes] | None = None
        self._success_id = ""
        self._closed = False

    @property
    def keys(self) -> CompanionKeys:
        """See `Companion`."""
        return self._keys

    def start(self) -> None:
        """Give the client the refs that it shows as QR codes, one after the other."""
        refs = tuple(Node("ref", {}, ref.encode()) for ref in self._linking.offer(self))
        self._ask(Node("pair-device", {}, refs))

    async def accept(self, *, identity_container: bytes, number: Jid, lid: Jid, name: str) -> bytes:
        """See `Companion`."""
        if self._closed:
            raise PairingRefusedError("the companion went away")
        self._answer = asyncio.get_running_loop().create_future()
        self._success_id = self._ask(
            Node(
                "pair-success",
                {},
                (
                    Node("device-identity", {}, identity_container),
                    Node("device", {"jid": number, "lid": lid}),
                    Node("platform", {"name": "android"}),
                    Node("biz", {"name": name}),
                ),
            )
        )
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_SECONDS):
                answer = await self._answer
        except TimeoutError:
            raise PairingRefusedError("the companion did not answer") from None
        if not companion_signed(
            container=identity_container,
            answer=answer,
            companion_identity=self._keys.bundle.identity,
        ):
            raise PairingRefusedError("the companion's signature does not verify")
        return answer

    def relay_code_answer(self, *, ref: str, wrapped_ephemeral: bytes, identity: bytes) -> None:
        """See `Companion`."""
        attrs: Attrs = {
            "from": SERVER,
            "id": secrets.token_hex(8),
            "type": "link_code_companion_reg",
            "t": now(),
        }
        content = (
            Node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, wrapped_ephemeral),
            Node("primary_identity_pub", {}, identity),
            Node("link_code_pairing_ref", {}, ref.encode()),
        )
        stage = Node("link_code_companion_reg", {"stage": "primary_hello"}, content)
        self._connection.send(Node("notification", attrs, (stage,)))

    def ask_passkey(self) -> None:
        """See `Companion`."""
        options = {
            "challenge": secrets.token_urlsafe(32),
            "timeout": 600_000,
            "rpId": "whatsapp.com",
            "allowCredentials": [],
            "userVerification": "required",
            "extensions": {},
        }
        attrs: Attrs = {
            "from": SERVER,
            "id": secrets.token_hex(8),
            "type": "passkey_prologue_request",
            "t": now(),
        }
        content = Node("passkey_request_options", {}, json.dumps(options).encode())
        self._connection.send(Node("notification", attrs, (content,)))

    def finish(self) -> None:
        """See `Companion`."""
        self._connection.close(stream_error(StreamEnd.RESTART))

    def on_stanza(self, node: Node) -> None:
        """See `Stage`."""
        if node.tag != "iq":
            return
        kind = node.get("type")
        if kind in ("result", "error"):
            self._on_answer(node)
        elif node.get("xmlns") == "md" and node.child("link_code_companion_reg") is not None:
            self._on_code(node)
        elif node.get("xmlns") == "w:p":
            self._connection.send(result(node))
        else:
            self._connection.send(self._unknown.refuse(node))

    def on_room(self) -> None:
        """See `Stage`; a newcomer is told so little that nothing waits."""

    def on_close(self) -> None:
        """See `Stage`."""
        self._closed = True
        self._linking.withdraw(self)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(PairingRefusedError("the companion went away"))

    def _ask(self, content: Node) -> str:
        query_id = secrets.token_hex(8)
        attrs: Attrs = {"from": SERVER, "id": query_id, "type": "set", "xmlns": "md"}
        attrs["t"] = now()
        self._connection.send(Node("iq", attrs, (content,)))
        return query_id

    def _on_answer(self, node: Node) -> None:
        if self._answer is None or self._answer.done() or node.get("id") != self._success_id:
            return
        if node.get("type") == "error":
            reason = node.child("error")
            text = reason.get("text") if reason else ""
            self._answer.set_exception(PairingRefusedError(f"the companion refused: {text}"))
            return
        identity = node.require_child("pair-device-sign", "device-identity")
        self._answer.set_result(identity.data)

    def _on_code(self, node: Node) -> None:
        request = node.require_child("link_code_companion_reg")
        account = request.require_jid("jid")
        try:
            if request.get("stage") == "companion_hello":
                self._code_hello(node, account, request)
            else:
                finish = PairCodeFinish(
                    ref=_text(request, "link_code_pairing_ref"),
                    wrapped_bundle=_data(request, "link_code_pairing_wrapped_key_bundle"),
                    identity=_data(request, "companion_identity_public"),
                )
                self._linking.code_finish(account, finish)
                self._connection.send(result(node))
        except PairingRefusedError as refusal:
            log.info("sandbox.pair_code_refused", reason=str(refusal))
            self._connection.send(error(node, 404, "item-not-found"))

    def _code_hello(self, query: Node, account: Jid, request: Node) -> None:
        hello = PairCodeHello(
            ref=f"3@{secrets.token_urlsafe(32)}",
            wrapped_ephemeral=_data(request, "link_code_pairing_wrapped_companion_ephemeral_pub"),
            noise_public=_data(request, "companion_server_auth_key_pub"),
            platform_id=_text(request, "companion_platform_id"),
            platform_display=_text(request, "companion_platform_display"),
        )
        self._linking.code_hello(self, account, hello)
        ref = Node("link_code_pairing_ref", {}, hello.ref.encode())
        stage = Node("link_code_companion_reg", {"stage": "companion_hello"}, (ref,))
        self._connection.send(result(query, stage))


def _data(node: Node, tag: str) -> bytes:
    return node.require_child(tag).data


def _text(node: Node, tag: str) -> str:
    return _data(node, tag).decode(errors="replace")
