"""Connects to the broker as a backend does, and ends the program as its exit codes say."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import typer

from gateway_contracts import FLEET, NO_SESSION, BackendTopology, ErrorCode, Topology
from gateway_contracts.amqp_urls import single_urls
from gateway_contracts.client import (
    AccessRefusedError,
    ClientError,
    CommandFailedError,
    GatewayClient,
    NoOutcomeError,
    OwnQueues,
    Queues,
    TemporaryQueue,
)
from gateway_contracts.tenants import is_tenant, name_within
from gateway_worker.ctl.exit_codes import EXIT_FAILED, EXIT_NO_OUTCOME, EXIT_UNCERTAIN
from gateway_worker.ctl.options import Connection
from gateway_worker.ctl.output import as_json, complain, plain, say
from gateway_worker.runtime.urls import ENCODED, has_torn_login

Work = Callable[[GatewayClient], Coroutine[Any, Any, int]]
"""Does something with the gateway; returns the exit code."""

SERVICE: Final = "ctl"
_REMEDY: Final = (
    "Use the user of an operator (CTL_AMQP_URL), who may make a queue for as long as this runs; or"
    " have one make queues for good, with `gateway-worker ctl broker add-backend ctl`, and say"
    " --service ctl."
)


def _is_url(text: str) -> bool:
    """Whether a text says where a broker is, or several of its nodes."""
    try:
        parts = [urlsplit(url) for url in single_urls(text)]
        are_brokers = all(each.scheme in {"amqp", "amqps"} and each.port != 0 for each in parts)
        return are_brokers and not has_torn_login(text)
    except ValueError:
        return False


def connection_of(context: typer.Context) -> Connection:
    """Return what the options say of the broker.

    Raises:
        typer.BadParameter: They do not say where it is.
    """
    connection = context.obj
    assert isinstance(connection, Connection)
    if not _is_url(connection.amqp_url):
        raise typer.BadParameter(
            "say where the broker is (amqp://… or amqps://…): --amqp-url, CTL_AMQP_URL or AMQP_URL"
            f"{ENCODED}"
        )
    try:
        topology = Topology(prefix=connection.prefix)
        BackendTopology(service=connection.service or SERVICE, topology=topology)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if connection.tenant is not None and not is_tenant(connection.tenant):
        raise typer.BadParameter(f"no tenant can be called {connection.tenant!r}")
    if connection.token_file is not None:
        _token_in(connection.token_file)
    return connection


def source_of(context: typer.Context) -> str:
    """Return the `source` of the commands."""
    return f"/backends/{connection_of(context).service or SERVICE}"


def fleet_of(context: typer.Context) -> str:
    """Return the subject of what is asked of the fleet: all of it, or one tenant's part."""
    return name_within(connection_of(context).tenant, FLEET)


def outcomes_of(session: str) -> str:
    """Return the topic pattern of the outcomes of a session's commands."""
    return f"command.*.{session}"


def speak(
    context: typer.Context,
    work: Work,
    *,
    patterns: tuple[str, ...],
    heartbeats: bool = False,
    reads_events: bool = False,
    json: bool = False,
) -> NoReturn:
    """Connect, do it, and end the program.

    Args:
        context: Has the connection.
        work: What is to be done.
        patterns: Topic patterns of the events that it takes.
        heartbeats: Whether it takes heartbeats, too.
        reads_events: Whether it reads more than outcomes.
        json: Whether a failure is told as JSON as well.
    """
    connection = connection_of(context)
    logging.getLogger().addHandler(logging.NullHandler())  # the AMQP library's asides are not ours
    try:
        code = asyncio.run(_connected(connection, work, patterns, heartbeats, reads_events))
    except CommandFailedError as failed:
        code = EXIT_UNCERTAIN if failed.error.code is ErrorCode.UNCERTAIN else EXIT_FAILED
        if json:
            error = failed.error.model_dump(mode="json", exclude_none=True)
            say(as_json({"command_id": failed.event.correlationid, "error": error}))
        complain(plain(str(failed)))
        for fault in failed.error.errors:
            complain(plain(f"{fault.pointer}: {fault.detail}"))
    except NoOutcomeError as error:
        complain(plain(f"{error}{_how_to_ask_again(context, error.command_id)}"))
        code = EXIT_NO_OUTCOME
    except AccessRefusedError as error:
        complain(f"{plain(str(error))}\n{_REMEDY}")
        code = EXIT_FAILED
    except ClientError as error:
        complain(plain(str(error)))
        code = EXIT_FAILED
    raise typer.Exit(code)


def _how_to_ask_again(context: typer.Context, command_id: str) -> str:
    """Say how the same command is repeated, where its word can say its id."""
    words = [word for one in context.command.params for word in one.opts]
    return f"; ask again with --id {command_id}" if "--id" in words else ""


async def _connected(
    connection: Connection,
    work: Work,
    patterns: tuple[str, ...],
    heartbeats: bool,  # noqa: FBT001
    reads_events: bool,  # noqa: FBT001
) -> int:
    queues: Queues = (
        OwnQueues(service=connection.service, heartbeats=heartbeats)
        if connection.service
        else TemporaryQueue(
            service=SERVICE,
            patterns=(*patterns, *_refusals(connection.tenant)),
            heartbeats=heartbeats,
        )
    )
    file = connection.token_file
    async with GatewayClient.open(
        connection.amqp_url,
        queues=queues,
        topology=Topology(prefix=connection.prefix),
        reads_events=reads_events,
        token=None if file is None else lambda: _token_now(file),
    ) as client:
        return await work(client)


def _refusals(tenant: str | None) -> tuple[str, ...]:
    """Return the topic patterns of what is answered to those who may not command a session."""
    names = sorted({NO_SESSION, name_within(tenant, NO_SESSION)})
    return tuple(f"command.failed.{name}" for name in names)


def _token_now(file: Path) -> str:
    """Return the token that a file has by now. Raises `ClientError`."""
    try:
        return _token_in(file)
    except typer.BadParameter as error:
        raise ClientError(error.message) from error


def _token_in(file: Path) -> str:
    """Return the token that a file has.

    Raises:
        typer.BadParameter: It cannot be read, or has none.
    """
    try:
        token = file.read_text().strip()
    except (OSError, ValueError) as error:
        raise typer.BadParameter(f"no token can be read from {file}") from error
    if not token:
        raise typer.BadParameter(f"there is no token in {file}")
    return token
