"""The window that stays open: what a host has confirmed to WhatsApp and has not stored when killed.

`python -m tests.bench.window [--kills N] [--writers W] [--rate R] [--stops]` floods one real
host from W phones, with R messages a second together or as fast as they can, and kills it again
and again. With `--stops` no host is killed: the library stops over a receipt of a type that it does
not know, and the host leaves. A message is lost when WhatsApp has forgotten it, because the library
has confirmed it, and no host has ever told it. Records are acknowledged at once, as by a fast
database.

Those lost with a used key had not been confirmed: WhatsApp has sent them again, the library could
not read them a second time, and they were told as undecryptable. The others WhatsApp takes for
delivered: they were in the library's queue, behind its confirmation and before the spool.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gateway_worker.host_protocol.signals import Exited, Up
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.settings import SandboxSettings
from gateway_worker.sandbox.wire.node import Attrs, Node
from gateway_worker.whatsapp.launcher import HostProcesses
from tests.integration.whatsapp.stage import Account, Stage, settings_for
from tests.support.arrivals import UndecryptableMessage
from tests.support.eventually import eventually

_SHORTEST_LIFE_SECONDS = 0.3
_LONGEST_LIFE_SECONDS = 1.2
_SETTLE_SECONDS = 60.0


async def measure(
    *, kills: int, writers: int, rate: float, seed: int, stops: bool, **settings: object
) -> dict[str, Any]:
    """Flood, and kill hosts or have their library stop; returns the figures."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        async with (
            Sandbox.open(SandboxSettings()) as sandbox,
            HostProcesses(settings_for(sandbox, **settings)) as processes,
        ):
            stage = Stage(sandbox=sandbox, processes=processes, directory=Path(directory))
            account = await stage.linked()
            phones = [await stage.customer(f"Writer {number}") for number in range(writers)]
            sent: list[str] = []
            stop = asyncio.Event()
            started = time.monotonic()
            pause = writers / rate if rate else 0.0
            flood = [
                asyncio.create_task(_write(phone, account, sent, stop, pause)) for phone in phones
            ]
            for number in range(kills):
                await asyncio.sleep(chance.uniform(_SHORTEST_LIFE_SECONDS, _LONGEST_LIFE_SECONDS))
                if stops:
                    sandbox.connections.inject(account.phone.number, _unknown_receipt(phones[0]))
                else:
                    account.host.kill()
                await account.next(Exited)
                await account.launch()
                await account.next(Up)
                print(f"window: {number + 1}/{kills} kills, {len(sent)} sent", file=sys.stderr)
            stop.set()
            await asyncio.gather(*flood)
            seconds = time.monotonic() - started
            await _settle(stage, account)
            figures = _figures(account, sent, kills=kills, seconds=seconds)
            await account.stop()
    return figures


def _unknown_receipt(phone: Phone) -> Node:
    """Return a receipt as phones send it that cannot download a picture."""
    attrs: Attrs = {"from": phone.jid, "id": "3EB0F00D", "type": "server-error", "t": "1790000000"}
    return Node("receipt", attrs)


async def _write(
    phone: Phone, account: Account, sent: list[str], stop: asyncio.Event, pause: float
) -> None:
    due = time.monotonic()
    while not stop.is_set():
        sent.append(await phone.send_text(account.phone.number, f"{len(sent)}"))
        due = max(due + pause, time.monotonic() - pause)
        await asyncio.sleep(max(0.0, due - time.monotonic()))


async def _settle(stage: Stage, account: Account) -> None:
    """Wait until WhatsApp has nothing left and the host has been quiet for a while."""
    links = stage.sandbox.connections.links
    number = account.phone.number
    await eventually(lambda: not links(number)[0].pending, timeout_seconds=_SETTLE_SECONDS)
    told = -1
    while told != len(account.events):
        told = len(account.events)
        await asyncio.sleep(1)


def _figures(account: Account, sent: list[str], *, kills: int, seconds: float) -> dict[str, Any]:
    arrived = {message.message_id for message in account.messages()}
    warned = {
        event.message_id for event in account.events if isinstance(event, UndecryptableMessage)
    }
    lost = [one for one in sent if one not in arrived]
    return {
        "kills": kills,
        "sent": len(sent),
        "sent_per_s": round(len(sent) / seconds, 1),
        "lost": len(lost),
        "lost_per_kill": round(len(lost) / kills, 3),
        "lost_with_used_key": len(warned.intersection(lost)),
        "lost_confirmed": len(set(lost) - warned),
        "lost_confirmed_at_once_at_most": _longest_run(sent, set(lost) - warned),
    }


def _longest_run(sent: list[str], lost: set[str]) -> int:
    longest = run = 0
    for one in sent:
        run = run + 1 if one in lost else 0
        longest = max(longest, run)
    return longest


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.window", description="Count what killed hosts lose."
    )
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second; 0: no limit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--stops", action="store_true", help="have the library stop instead of killing hosts"
    )
    parser.add_argument("--no-sync", action="store_true", help="as SPOOL_SYNC=false")
    arguments = parser.parse_args()
    figures = asyncio.run(
        measure(
            kills=arguments.kills,
            writers=arguments.writers,
            rate=arguments.rate,
            seed=arguments.seed,
            stops=arguments.stops,
            spool_sync=not arguments.no_sync,
        )
    )
    print(json.dumps(figures, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
