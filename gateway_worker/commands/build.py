"""Joins the way of a command: entered in the inbox, scheduled, executed, forwarded."""

from dataclasses import dataclass

from gateway_worker.commands.attempts import Attempts, RetryPolicy
from gateway_worker.commands.deadlines import HOLD_SECONDS
from gateway_worker.commands.dispatcher import Dispatcher
from gateway_worker.commands.ends import CommandEnds, Observer
from gateway_worker.commands.execution import Executor
from gateway_worker.commands.features import Feature
from gateway_worker.commands.forwarding import CommandForwarder, Forwarder
from gateway_worker.commands.handlers import Context
from gateway_worker.commands.inbox import Inbox
from gateway_worker.commands.pacing.pacer import Pacer
from gateway_worker.commands.ports import InboxStore, Postponer
from gateway_worker.commands.replaying import Replays
from gateway_worker.commands.stranded_execution import StrandedExecutor
from gateway_worker.commands.waiting_creations import ROOM_SECONDS
from gateway_worker.media.arriving.service import ArrivingMedia
from gateway_worker.media.build import OutgoingFiles
from gateway_worker.runtime.clock import Clock
from gateway_worker.sessions.ownership.manager import SessionManager
from gateway_worker.sessions.ports import MessageStore, Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Where commands are entered, and what executes them."""

    inbox: Inbox
    dispatcher: Dispatcher


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPorts:
    """What commands need from the outside.

    Attributes:
        entries: The inbox's table.
        messages: Finds messages that commands refer to.
        recorder: Commits outcomes.
        postponer: Has the broker bring a command again later.
        forwarder: Sends commands on to other workers.
        replays: Publishes past events again; without it that is not possible here.
        media: Fetches files; without it that is not possible here.
        files: Brings files to send to their sessions; without it none can be sent here.
        pacer: Holds messages back; without it they are sent as fast as it goes.
        observe: Called with each command that has come to its end.
    """

    entries: InboxStore
    messages: MessageStore
    recorder: Recorder
    postponer: Postponer
    forwarder: CommandForwarder
    replays: Replays | None = None
    media: ArrivingMedia | None = None
    files: OutgoingFiles | None = None
    pacer: Pacer | None = None
    observe: Observer = lambda _type, _outcome, _times: None


def build_commands(
    ports: CommandPorts,
    *,
    worker_id: str,
    manager: SessionManager,
    clock: Clock,
    features: frozenset[Feature] = frozenset(),
    retry_policy: RetryPolicy | None = None,
    hold_seconds: float = HOLD_SECONDS,
    room_seconds: float = ROOM_SECONDS,
) -> Commands:
    """Build inbox and dispatcher; nothing begins to run.

    Args:
        ports: What leads outside.
        worker_id: This worker.
        manager: Its sessions.
        clock: The time.
        features: What is switched on.
        retry_policy: How often and how late a command is tried again.
        hold_seconds: See `HOLD_SECONDS`.
        room_seconds: See `ROOM_SECONDS`.
    """
    inbox = Inbox(store=ports.entries)
    attempts = Attempts(
        worker_id=worker_id,
        manager=manager,
        inbox=inbox,
        postponer=ports.postponer,
        clock=clock,
        retry_policy=retry_policy,
    )
    ends = CommandEnds(
        worker_id=worker_id, manager=manager, recorder=ports.recorder, observe=ports.observe
    )
    context = Context(
        manager=manager,
        messages=ports.messages,
        replays=ports.replays,
        media=ports.media,
        files=ports.files,
        features=features,
        pacer=ports.pacer,
    )
    dispatcher = Dispatcher(
        worker_id=worker_id,
        manager=manager,
        executor=Executor(context=context, attempts=attempts, ends=ends),
        stranded=StrandedExecutor(
            worker_id=worker_id, manager=manager, attempts=attempts, ends=ends
        ),
        ends=ends,
        forwarder=Forwarder(publisher=ports.forwarder),
        hold_seconds=hold_seconds,
        room_seconds=room_seconds,
    )
    manager.departures.when_left(dispatcher.flush)
    return Commands(inbox=inbox, dispatcher=dispatcher)
