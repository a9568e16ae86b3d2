"""Moves every session of a worker to others, by the contract alone."""

from typing import NoReturn

import typer

from gateway_contracts.client import CommandFailedError, GatewayClient, NoOutcomeError
from gateway_contracts.commands.session import SessionInfo
from gateway_worker.ctl.asking import Question, pages
from gateway_worker.ctl.exit_codes import EXIT_FAILED
from gateway_worker.ctl.output import as_json as json_text
from gateway_worker.ctl.output import complain, plain, say
from gateway_worker.ctl.progress import bar
from gateway_worker.ctl.speaking import fleet_of, source_of, speak

_MOST = 100_000


def drain_worker(context: typer.Context, worker: str, *, seconds: float, as_json: bool) -> NoReturn:
    """Move them one after the other, say where they are, and end the program."""
    source = source_of(context)
    listing = Question(type="session.list", session=fleet_of(context), data={"worker": worker})
    listing.command(source)

    async def work(client: GatewayClient) -> int:
        found, _ = await pages(client, listing, "sessions", limit=_MOST, source=source)
        moved: dict[str, str | None] = {}
        stayed: dict[str, str] = {}
        with bar("sessions", quiet=as_json) as advance:
            for item in found:
                name = item["session"]
                move = Question(type="session.migrate", session=name).command(source)
                try:
                    moved[name] = (await client.ask(move, SessionInfo, seconds=seconds)).worker
                except (CommandFailedError, NoOutcomeError) as error:
                    stayed[name] = str(error)
                advance(len(moved) + len(stayed), len(found), f"{len(stayed)} stayed")
        if as_json:
            say(json_text({"moved": moved, "stayed": stayed}))
        else:
            say(f"moved {len(moved)} of {len(found)}")
        for name, why in stayed.items():
            complain(plain(f"{name} stays: {why}"))
        return EXIT_FAILED if stayed else 0

    # Outcomes of every session; where they are read from a service's own queue it is to have them.
    speak(context, work, patterns=("command.#",), json=as_json)
