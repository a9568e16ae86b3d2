"""A worker that asks for tokens, and has little switched on: as an operator sets it up."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway_contracts import (
    NO_SESSION,
    CommandEnvelope,
    CommandFailed,
    CommandSucceeded,
    ErrorCode,
    MessageHistory,
    SessionCreate,
    SessionDelete,
)
from gateway_worker.devkit.services.process import base_environment
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.harness import Gateway, open_gateway
from tests.support.commands import Commands
from tests.unit.tenants.test_tokens import SECRET, signed

OURS = {"authorization": f"Bearer {signed('HS256')}"}
THEIRS = {"authorization": f"Bearer {signed('HS256', tenant_id='mallory')}"}


@pytest.fixture
async def guarded(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> AsyncIterator[Gateway]:
    """A fleet with tenants, without history."""
    settings = {
        **environment,
        "FEATURES": "bulk,status",
        "TENANTS": "jwt",
        "JWT_ALGORITHMS": "HS256",
        "JWT_SECRET": SECRET,
        "JWT_AUDIENCE": "gateway",
    }
    async with open_gateway(sandbox, settings, tmp_path) as gateway:
        yield gateway


async def outcome(gateway: Gateway, command: CommandEnvelope, headers: dict[str, str]) -> Any:
    """Publish a command with a token, and return how it ends."""
    await gateway.backend.publish(command, headers=headers)
    return await gateway.backend.outcome(command.id)


async def test_each_command_needs_its_tenants_token_and_what_is_off_is_refused(
    guarded: Gateway, commands: Commands, tmp_path: Path
) -> None:
    """From the settings to the events."""
    source, session = guarded.backend.source, "acme.support"
    for headers in ({}, THEIRS):
        refused = await outcome(guarded, SessionCreate(source=source, subject=session), headers)
        assert isinstance(refused, CommandFailed)
        assert refused.data.error.code is ErrorCode.UNAUTHORIZED
        assert refused.subject.endswith(NO_SESSION)
    created = await outcome(guarded, SessionCreate(source=source, subject=session), OURS)
    assert isinstance(created, CommandSucceeded)
    off = await outcome(guarded, MessageHistory(source=source, subject=session), OURS)
    assert isinstance(off, CommandFailed)
    assert off.data.error.code is ErrorCode.UNSUPPORTED
    features = (await guarded.worker.health())["features"]
    assert {name for name, is_on in features.items() if is_on} == {"bulk", "status"}
    assert "history" in features
    assert await _listed(guarded, commands, tmp_path, None) is None
    assert await _listed(guarded, commands, tmp_path, "mallory") == []
    assert await _listed(guarded, commands, tmp_path, "acme") == [session]
    deleted = await outcome(guarded, SessionDelete(source=source, subject=session), OURS)
    assert isinstance(deleted, CommandSucceeded)
    log = guarded.worker.log_path.read_text()
    assert SECRET not in log
    assert OURS["authorization"].removeprefix("Bearer ") not in log


async def _listed(
    gateway: Gateway, commands: Commands, directory: Path, tenant: str | None
) -> list[str] | None:
    """Return the sessions that the command line lists; None if it may not ask."""
    words = ["sessions", "--json"]
    if tenant is not None:
        file = directory / f"{tenant}.token"
        file.write_text(f"{signed('HS256', tenant_id=tenant)}\n")
        words = ["--tenant", tenant, "--token-file", str(file), *words]
    settings = {**base_environment(), **gateway.environment}
    answer = await commands.run(settings, directory, "ctl", *words)
    if answer.code != 0:
        assert "unauthorized" in answer.err, answer
        return None
    return [one["session"] for one in answer.json]
