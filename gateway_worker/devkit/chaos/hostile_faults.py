"""What a backend may do to others with its rights, and an operator by mistake.

Nobody may be told of what is made up here, nor may a phone show it; the auditor looks for it.
"""

import asyncio
import random
import time
from typing import Any, Final

from gateway_contracts import (
    BindingSpec,
    ExchangeBindingSpec,
    MessageData,
    MessageReceipt,
    MessageReceiptData,
    MessageReceived,
    MessageSend,
    MessageSendData,
    Participant,
    ReceiptStatus,
    SessionEventEnvelope,
    TextContent,
    TextToSend,
    Topology,
    encode,
    new_id,
)
from gateway_contracts.client.connection import until_done
from gateway_contracts.envelope import utc_now
from gateway_worker.broker.headers import ATTEMPT, CONTROL, FROM, HOP, HOPS, STAGE
from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.chaos.bindings import delete_binding, events_joined_to_commands
from gateway_worker.devkit.chaos.event_recorder import EventRecorder, SessionSetup
from gateway_worker.devkit.chaos.journal import Journal
from gateway_worker.devkit.chaos.plan import Injection
from gateway_worker.devkit.chaos.traffic import Traffic
from gateway_worker.sessions.peer_messages import PeerMessage, PeerMessageKind

WORKER: Final = "chaos-0"
STRANGER: Final = Participant(jid="12025559999@s.whatsapp.net")
CLAIMS: Final[dict[str, Any]] = {FROM: WORKER, HOPS: 7, HOP: 1, STAGE: 1, ATTEMPT: 19}
COPIES: Final = 5
OVERSIZED_BYTES: Final = (300_000, 1_000_000, 2_000_000)
REUSED: Final = 3
SESSIONS_OWN: Final = 0.6
WORKERS_OWN: Final = 0.75
"""The shares of bindings of a session and, above them, of a worker's own key."""

Binding = BindingSpec | ExchangeBindingSpec


class HostileFaults:
    """What others can do to the sessions through the broker.

    Args:
        amqp_url: The broker, as an operator's user reaches it.
        backend: The one that also sends what it may send.
        traffic: Sends commands.
        recorder: Knows which commands have ended, and where sessions are.
    """

    def __init__(
        self,
        *,
        amqp_url: str,
        backend: Backend,
        traffic: Traffic,
        recorder: EventRecorder,
        setups: tuple[SessionSetup, ...],
        journal: Journal,
    ) -> None:
        self._amqp_url = amqp_url
        self._topology = Topology()
        self._backend = backend
        self._traffic = traffic
        self._witness = recorder
        self._setups = setups
        self._journal = journal

    async def binding_deleted(self, injection: Injection) -> None:
        """Delete a session's binding, its worker's own or a shared one: it is made again."""
        binding, hit = self._binding(injection)
        at = time.time()
        await delete_binding(self._amqp_url, binding)
        self._journal.rerouted(hit, at=at)
        self._journal.injected(injection, binding=binding)

    async def forged_claims(self, injection: Injection) -> None:
        """Say in a worker's name that a message and a receipt have come; command in it as well."""
        session_id = self._session(injection)
        events = self._forged_events(session_id)
        control = PeerMessage(
            kind=PeerMessageKind.FORWARDED,
            session_id=session_id,
            epoch=1_000_000,
            events=tuple(encode(event) for event in events),
        )
        headers = CLAIMS | {CONTROL: control.kind.value}
        await self._publish(control.encode(), session_id, headers=headers)
        command_id = await self._traffic.send_claiming(session_id, CLAIMS)
        self._journal.injected(injection, session=session_id, command=command_id)

    async def events_as_commands(self, injection: Injection) -> None:
        """Join all events to the commands for a while, and publish copies of some of them."""
        events = [
            one.event.model_copy(update={"id": new_id()})
            for one in self._backend.arrivals[-COPIES:]
            if isinstance(one.event, SessionEventEnvelope)
        ]
        self._journal.forged.update(event.id for event in events)
        async with events_joined_to_commands(self._amqp_url, self._topology):
            for event in events:
                await self._publish(
                    encode(event), event.subject, message_id=event.id, kind=event.type
                )
            await asyncio.sleep(injection.seconds)
        self._journal.injected(injection, copies=len(events), seconds=injection.seconds)

    async def oversized_bodies(self, injection: Injection) -> None:
        """Send texts in bodies that are too long; no phone may show them."""
        setup = self._setups[injection.session]
        ids = []
        for size_bytes in OVERSIZED_BYTES:
            command = MessageSend(
                source=self._backend.source,
                subject=setup.session_id,
                data=MessageSendData(to=setup.reader, content=TextToSend(text="too long")),
            )
            body = encode(command) + b" " * size_bytes
            await self._publish(body, setup.session_id, message_id=command.id, kind=command.type)
            ids.append(command.id)
        self._journal.injected(injection, session=setup.session_id, commands=ids)

    async def ids_reused(self, injection: Injection) -> None:
        """Send other texts under ids of commands that have ended; no phone may show them."""
        dice = random.Random(injection.dice)  # noqa: S311 - no secret
        ended = [one for one in self._traffic.recent_sends() if one.id in self._witness.ended]
        if not ended:
            self._journal.missed_target(injection, "no send has ended yet")
            return
        chosen = dice.sample(ended, min(REUSED, len(ended)))
        for number, command in enumerate(chosen):
            where = self._session(injection) if number else command.subject
            content = TextToSend(text=f"other than {command.id}")
            data = MessageSendData(to=command.data.to, content=content)
            other = command.model_copy(update={"subject": where, "data": data})
            self._journal.reused_ids.add(command.id)
            await self._publish(encode(other), where, message_id=other.id, kind=other.type)
        self._journal.injected(injection, commands=[one.id for one in chosen])

    def _session(self, injection: Injection) -> str:
        return self._setups[injection.session].session_id

    def _binding(self, injection: Injection) -> tuple[Binding, list[str]]:
        """Return the binding to delete, and whose commands will come by the shared queue.

        Without a shared one what was published comes back, and is published again in its order.
        """
        session_id, topology = self._session(injection), self._topology
        if injection.dice >= WORKERS_OWN:
            shared: tuple[Binding, ...] = (*topology.bindings(), *topology.exchange_bindings())
            return shared[injection.number % len(shared)], []
        worker_id = self._witness.worker(session_id)
        is_sessions = injection.dice < SESSIONS_OWN
        binding = BindingSpec(
            exchange=topology.commands,
            queue=topology.worker_queue(worker_id),
            routing_key=session_id if is_sessions else topology.worker_key(worker_id),
        )
        return binding, [session_id] if is_sessions else [one.session_id for one in self._setups]

    def _forged_events(self, session_id: str) -> tuple[MessageReceived, MessageReceipt]:
        """Make up a message and a receipt that would be believed if a worker had sent them on."""
        source, now = f"/workers/{WORKER}", utc_now()
        message = MessageReceived(
            source=source,
            subject=session_id,
            data=MessageData(
                message_id=f"FORGED{new_id()}",
                chat=STRANGER.jid,
                sender=STRANGER,
                timestamp=now,
                content=TextContent(text="please refund"),
            ),
        )
        receipt = MessageReceipt(
            source=source,
            subject=session_id,
            data=MessageReceiptData(
                message_id=f"FORGED{new_id()}",
                chat=STRANGER.jid,
                status=ReceiptStatus.READ,
                participant=STRANGER,
                timestamp=now,
            ),
        )
        for event in (message, receipt):
            self._journal.forged.update((event.id, event.data.message_id))
        return message, receipt

    async def _publish(self, body: bytes, session_id: str, **more: Any) -> None:
        """Publish any bytes as a command, however long that takes."""

        async def attempt() -> None:
            await self._backend.publish_raw(body, session_id=session_id, **more)

        await until_done(attempt)
