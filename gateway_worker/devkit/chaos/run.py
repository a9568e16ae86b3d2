"""One run from the first session to the verdict."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gateway_worker.devkit.chaos.audit import Verdict, audit
from gateway_worker.devkit.chaos.contents import read_hashes
from gateway_worker.devkit.chaos.group_traffic import GroupTraffic
from gateway_worker.devkit.chaos.harness import ChaosHarness, open_harness
from gateway_worker.devkit.chaos.history import History, SentByPhone
from gateway_worker.devkit.chaos.hostile_faults import HostileFaults
from gateway_worker.devkit.chaos.node_faults import NodeFaults
from gateway_worker.devkit.chaos.options import Options
from gateway_worker.devkit.chaos.plan import Injection
from gateway_worker.devkit.chaos.post_traffic import PostTraffic
from gateway_worker.devkit.chaos.quiescence import outstanding, until_quiet
from gateway_worker.devkit.chaos.rooms import STATUS
from gateway_worker.devkit.chaos.service_faults import ServiceFaults
from gateway_worker.devkit.chaos.traffic import Traffic
from gateway_worker.devkit.chaos.worker_faults import WorkerFaults
from gateway_worker.devkit.services.postgres_pair import PostgresPair
from gateway_worker.devkit.services.rabbitmq_cluster import RabbitMqCluster

Announce = Callable[[str], None]
Disturb = Callable[[ChaosHarness, Traffic], Awaitable[None]]
"""What is done while there is traffic; returns with all workers ready."""

_WARM_UP_SECONDS = 3.0
_SAY_SECONDS = 10.0
_FAULT_SECONDS = 180.0
"""What does not end by then hangs."""


async def play(
    options: Options, plan: Sequence[Injection], directory: Path, announce: Announce
) -> tuple[Verdict, History]:
    """Run the plan under traffic and judge what came of it. Raises as `judged` does."""

    async def disturb(harness: ChaosHarness, traffic: Traffic) -> None:
        await _inject_all(options, plan, harness, traffic, announce)

    async with open_harness(options, directory, announce) as harness:
        return await judged(options, harness, disturb, announce)


async def judged(
    options: Options, harness: ChaosHarness, disturb: Disturb, announce: Announce
) -> tuple[Verdict, History]:
    """Do something under traffic, let all come to its end, and judge what came of it.

    Raises:
        ServicesError: Something does not start.
        TimeoutError: A session cannot be linked, or a worker does not come back.
    """
    traffic = Traffic(
        backend=harness.backend,
        phones=harness.sandbox.client,
        setups=harness.setups,
        files=harness.files,
        rate=options.rate,
        seed=options.plan.seed,
    )
    groups = GroupTraffic(
        traffic=traffic,
        backend=harness.backend,
        phones=harness.sandbox.client,
        setups=harness.setups,
        rooms=harness.rooms,
        files=harness.files,
    )
    posts = PostTraffic(
        traffic=traffic,
        source=harness.backend.source,
        phones=harness.sandbox.client,
        setups=harness.setups,
        rooms=harness.rooms,
    )
    flow = asyncio.create_task(traffic.flow(groups.flow(), posts.flow()), name="traffic")
    looks = asyncio.create_task(harness.recorder.keep_looking(), name="event-recorder")
    try:
        await asyncio.sleep(_WARM_UP_SECONDS)
        await disturb(harness, traffic)
        traffic.stop()
        await flow
        if not await until_quiet(
            harness, traffic.book, seconds=options.settle_seconds, announce=announce
        ):
            announce(f"not settled; {outstanding(harness, traffic.book)}")
    finally:
        for task in (flow, looks):
            task.cancel()
        await asyncio.gather(flow, looks, return_exceptions=True)
    await harness.recorder.look()
    history = replace(
        _history(harness, traffic),
        reused_keys=await harness.recorder.reused_keys(),
        objects=await read_hashes(harness.services.s3.settings, harness.recorder.keys),
    )
    for surprise in harness.journal.surprises:
        announce(f"surprise: {surprise}")
    return audit(history), history


async def _inject_all(
    options: Options,
    plan: Sequence[Injection],
    harness: ChaosHarness,
    traffic: Traffic,
    announce: Announce,
) -> None:
    """Do everything at its time, each on its own; then make the fleet whole again."""
    outside = _service_faults(options, harness)
    owners = (
        _worker_faults(harness, traffic),
        outside,
        _hostile_faults(harness, traffic),
        *_node_faults(harness, outside),
    )
    began = time.monotonic()

    async def injection(one: Injection) -> None:
        await asyncio.sleep(max(0.0, began + one.at_seconds - time.monotonic()))
        harness.journal.begun(one)
        owner = next(faults for faults in owners if hasattr(faults, one.kind))
        try:
            async with asyncio.timeout(_FAULT_SECONDS):
                await getattr(owner, one.kind)(one)
        except Exception as error:  # noqa: BLE001 - the run goes on, and the report says so
            harness.journal.missed_target(one, repr(error))
            announce(f"fault {one.number} ({one.kind}) could not be done: {error!r}")

    watch = asyncio.create_task(_say(harness, traffic, began, announce), name="progress")
    try:
        await asyncio.gather(*(injection(one) for one in plan))
        left = began + options.plan.seconds - time.monotonic()
        await asyncio.sleep(max(0.0, left))
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
    announce("all faults are over; everything is made whole")
    await outside.heal()
    await harness.fleet.restore()


def _worker_faults(harness: ChaosHarness, traffic: Traffic) -> WorkerFaults:
    return WorkerFaults(
        fleet=harness.fleet,
        sessions=tuple(one.session_id for one in harness.setups),
        at=harness.recorder.at,
        traffic=traffic,
        journal=harness.journal,
    )


def _service_faults(options: Options, harness: ChaosHarness) -> ServiceFaults:
    return ServiceFaults(
        services=harness.services,
        links=harness.links,
        fleet=harness.fleet,
        phones=harness.sandbox.client,
        setups=harness.setups,
        journal=harness.journal,
        lease_seconds=options.plan.lease_seconds,
    )


def _hostile_faults(harness: ChaosHarness, traffic: Traffic) -> HostileFaults:
    return HostileFaults(
        amqp_url=harness.services.addresses.amqp_url,
        backend=harness.backend,
        traffic=traffic,
        recorder=harness.recorder,
        setups=harness.setups,
        journal=harness.journal,
    )


def _node_faults(harness: ChaosHarness, outside: ServiceFaults) -> Sequence[NodeFaults]:
    """Return what can happen to single nodes, if there are several."""
    broker, database = harness.services.rabbitmq, harness.services.postgres
    if not isinstance(broker, RabbitMqCluster) or not isinstance(database, PostgresPair):
        return ()
    return (
        NodeFaults(
            broker=broker,
            database=database,
            sessions=[setup.session_id for setup in harness.setups],
            cut_off=outside.cut_off,
            journal=harness.journal,
        ),
    )


async def _say(harness: ChaosHarness, traffic: Traffic, began: float, announce: Announce) -> None:
    while True:
        await asyncio.sleep(_SAY_SECONDS)
        seconds = int(time.monotonic() - began)
        faults = sum(harness.journal.injections.values())
        announce(
            f"{seconds // 60:3}:{seconds % 60:02}  {faults} faults, "
            f"{len(traffic.book.published)} commands, {len(traffic.book.sent_by_phones)} messages; "
            f"{outstanding(harness, traffic.book)}; workers: {harness.fleet.memory}"
        )


def _history(harness: ChaosHarness, traffic: Traffic) -> History:
    recorder, journal = harness.recorder, harness.journal
    return History(
        sessions=tuple(one.session_id for one in harness.setups),
        published=tuple(traffic.book.published),
        events_seen=tuple(recorder.events_seen),
        seen_by_phones=tuple(recorder.seen_by_phones),
        sent_by_phones=tuple(
            SentByPhone(
                session_id=note.session_id,
                message_id=note.message_id,
                place=note.place,
                at=note.at,
                confirmed_at=recorder.confirmed.get((note.session_id, note.message_id)),
                file=note.file,
                stream=note.stream,
                is_post=note.is_post,
                text=note.text,
            )
            for note in traffic.book.sent_by_phones
        ),
        members_changed=tuple(traffic.book.members_changed),
        impacts=tuple(journal.impacts),
        losses=tuple(journal.losses),
        injections=dict(journal.injections),
        forged=frozenset(journal.forged),
        reused_ids=frozenset(journal.reused_ids),
        ended_at=time.time(),
        unconfirmed=frozenset({STATUS, *(one.channel.address for one in harness.rooms.values())}),
        strikes=tuple(journal.strikes),
    )
