"""One run from the first session to the verdict."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gateway_worker.devkit.chaos.audit import Verdict, audit
from gateway_worker.devkit.chaos.crew_faults import CrewFaults
from gateway_worker.devkit.chaos.history import History, Written
from gateway_worker.devkit.chaos.hostile_faults import HostileFaults
from gateway_worker.devkit.chaos.options import Options
from gateway_worker.devkit.chaos.outside_faults import OutsideFaults
from gateway_worker.devkit.chaos.plan import Strike
from gateway_worker.devkit.chaos.settling import settle, standing
from gateway_worker.devkit.chaos.stage import Stage, open_stage
from gateway_worker.devkit.chaos.traffic import Traffic

Announce = Callable[[str], None]

_WARM_UP_SECONDS = 3.0
_SAY_SECONDS = 10.0
_FAULT_SECONDS = 180.0
"""What does not end by then hangs."""


async def play(
    options: Options, plan: Sequence[Strike], directory: Path, announce: Announce
) -> tuple[Verdict, History]:
    """Run the plan under traffic and judge what came of it.

    Raises:
        ServicesError: Something does not start.
        TimeoutError: A session cannot be linked, or a worker does not come back.
    """
    async with open_stage(options, directory, announce) as stage:
        traffic = Traffic(
            backend=stage.backend,
            phones=stage.sandbox.client,
            cast=stage.cast,
            rate=options.rate,
            seed=options.plan.seed,
        )
        flow = asyncio.create_task(traffic.flow(), name="traffic")
        looks = asyncio.create_task(stage.witness.keep_looking(), name="witness")
        try:
            await asyncio.sleep(_WARM_UP_SECONDS)
            await _strike_all(options, plan, stage, traffic, announce)
            traffic.stop()
            await flow
            if not await settle(
                stage, traffic.book, seconds=options.settle_seconds, announce=announce
            ):
                announce(f"not settled; {standing(stage, traffic.book)}")
        finally:
            for task in (flow, looks):
                task.cancel()
            await asyncio.gather(flow, looks, return_exceptions=True)
        await stage.witness.look()
        history = replace(_history(stage, traffic), reused_keys=await stage.witness.reused_keys())
        for surprise in stage.journal.surprises:
            announce(f"surprise: {surprise}")
        return audit(history), history


async def _strike_all(
    options: Options, plan: Sequence[Strike], stage: Stage, traffic: Traffic, announce: Announce
) -> None:
    """Do everything at its time, each on its own; then make the fleet whole again."""
    crew = CrewFaults(
        fleet=stage.fleet,
        sessions=tuple(one.session_id for one in stage.cast),
        at=stage.witness.at,
        traffic=traffic,
        journal=stage.journal,
    )
    outside = OutsideFaults(
        services=stage.services,
        links=stage.links,
        fleet=stage.fleet,
        phones=stage.sandbox.client,
        cast=stage.cast,
        journal=stage.journal,
        lease_seconds=options.plan.lease_seconds,
    )
    hostile = HostileFaults(
        amqp_url=stage.services.addresses.amqp_url,
        backend=stage.backend,
        traffic=traffic,
        witness=stage.witness,
        cast=stage.cast,
        journal=stage.journal,
    )
    began = time.monotonic()

    async def strike(one: Strike) -> None:
        await asyncio.sleep(max(0.0, began + one.at_seconds - time.monotonic()))
        stage.journal.begun(one)
        owner = next(faults for faults in (crew, outside, hostile) if hasattr(faults, one.kind))
        try:
            async with asyncio.timeout(_FAULT_SECONDS):
                await getattr(owner, one.kind)(one)
        except Exception as error:  # noqa: BLE001 - the run goes on, and the report says so
            stage.journal.missed_target(one, repr(error))
            announce(f"fault {one.number} ({one.kind}) could not be done: {error!r}")

    watch = asyncio.create_task(_say(stage, traffic, began, announce), name="progress")
    try:
        await asyncio.gather(*(strike(one) for one in plan))
        left = began + options.plan.seconds - time.monotonic()
        await asyncio.sleep(max(0.0, left))
    finally:
        watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watch
    announce("all faults are over; everything is made whole")
    await outside.heal()
    await stage.fleet.restore()


async def _say(stage: Stage, traffic: Traffic, began: float, announce: Announce) -> None:
    while True:
        await asyncio.sleep(_SAY_SECONDS)
        seconds = int(time.monotonic() - began)
        faults = sum(stage.journal.strikes.values())
        announce(
            f"{seconds // 60:3}:{seconds % 60:02}  {faults} faults, "
            f"{len(traffic.book.issued)} commands, {len(traffic.book.written)} messages; "
            f"{standing(stage, traffic.book)}"
        )


def _history(stage: Stage, traffic: Traffic) -> History:
    witness, journal = stage.witness, stage.journal
    return History(
        sessions=tuple(one.session_id for one in stage.cast),
        issued=tuple(traffic.book.issued),
        told=tuple(witness.told),
        shown=tuple(witness.shown),
        written=tuple(
            Written(
                session_id=note.session_id,
                message_id=note.message_id,
                place=note.place,
                at=note.at,
                confirmed_at=witness.confirmed.get((note.session_id, note.message_id)),
            )
            for note in traffic.book.written
        ),
        blows=tuple(journal.blows),
        losses=tuple(journal.losses),
        strikes=dict(journal.strikes),
        forged=frozenset(journal.forged),
        reused_ids=frozenset(journal.reused_ids),
    )
