"""A worker starts while something that it needs is away: a fleet comes up in any order."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway_worker.devkit.services.errors import ServiceStartError
from gateway_worker.devkit.worker import WorkerProcess
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.failures.links import DEPENDENCIES, POSTGRESQL, RABBITMQ, REQUIRED, Links
from tests.e2e.harness import open_worker
from tests.support.eventually import eventually

NAME = "early"
IMPATIENT = {"DATABASE_STARTUP_TIMEOUT_SECONDS": "0", "AMQP_STARTUP_TIMEOUT_SECONDS": "0.1"}


@pytest.fixture
async def links(environment: dict[str, str], sandbox: Sandbox) -> AsyncIterator[Links]:
    """A link to each dependency."""
    async with Links.to({**environment, **sandbox.worker_env}) as links:
        yield links


@pytest.fixture
def settings(environment: dict[str, str], sandbox: Sandbox, links: Links) -> dict[str, str]:
    """Settings that lead over them."""
    return {**links.environment({**environment, **sandbox.worker_env}), "LOG_FORMAT": "json"}


def _says(worker: WorkerProcess, word: str) -> Callable[[], bool]:
    return lambda: worker.log_path.exists() and word in worker.log_path.read_text()


@pytest.mark.parametrize("away", sorted(REQUIRED))
async def test_a_worker_waits_for_what_it_cannot_do_without(
    settings: dict[str, str], links: Links, tmp_path: Path, away: str
) -> None:
    """It says so, is alive and not ready meanwhile, and begins when that is there."""
    await links[away].refuse()
    async with open_worker(settings, tmp_path, name=NAME) as worker:
        await worker.start(wait_ready=False)
        words = {POSTGRESQL: "call.retrying", RABBITMQ: "broker."}
        await eventually(_says(worker, words[away]))
        assert (await worker.probe("/live"))[0] == 200
        assert (await worker.probe("/ready"))[0] == 503
        await links[away].accept()
        await eventually(worker.is_ready, timeout_seconds=30)


async def test_a_worker_begins_without_what_it_can_do_without(
    settings: dict[str, str], links: Links, tmp_path: Path
) -> None:
    """It is ready all the same, without any of these."""
    for away in set(DEPENDENCIES) - REQUIRED:
        await links[away].refuse()
    async with open_worker(settings, tmp_path, name=NAME) as worker:
        await worker.start()
        assert await worker.is_ready()


@pytest.mark.parametrize(
    ("away", "message"),
    [
        (POSTGRESQL, "PostgreSQL at {address}: the database cannot be reached"),
        (RABBITMQ, "RabbitMQ at {address} cannot be reached within 0.1 s"),
    ],
)
async def test_a_worker_that_has_waited_long_enough_names_what_it_lacks(
    settings: dict[str, str], links: Links, tmp_path: Path, away: str, message: str
) -> None:
    """And ends with an error, without a traceback."""
    await links[away].refuse()
    async with open_worker({**settings, **IMPATIENT}, tmp_path, name=NAME) as worker:
        with pytest.raises(ServiceStartError, match="ended") as caught:
            await worker.start()
    said = worker.log_path.read_text()
    assert message.partition("{")[0] in str(caught.value)
    assert message.rpartition("}")[2] in said, "and all of it"
    assert "Traceback" not in said
