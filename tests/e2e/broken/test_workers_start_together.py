"""Several workers start at the same moment where nothing is there yet: no schema, no topology."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiormq
import asyncpg
import pytest

from gateway_contracts import Topology
from gateway_worker.devkit.harness import open_workers
from gateway_worker.devkit.services import ObjectStore
from gateway_worker.devkit.worker import WorkerProcess
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.conftest import worker_environment
from tests.support.services import random_name

WORKERS = tuple(f"together-{number}" for number in range(4))


@pytest.fixture
def empty(
    amqp_url: str,
    topology_prefix: str,
    blank_database_url: str,
    redis_url: str,
    redis_prefix: str,
    s3: ObjectStore,
    s3_prefix: str,
    sandbox: Sandbox,
) -> dict[str, str]:
    """Settings that lead to an empty database, to new names at the broker and to no bucket."""
    return {
        **worker_environment(
            amqp_url=amqp_url,
            topology_prefix=topology_prefix,
            database_url=blank_database_url,
            redis_url=redis_url,
            redis_prefix=redis_prefix,
            s3=replace(s3, bucket=f"{random_name()}-together"),
            s3_prefix=s3_prefix,
        ),
        **sandbox.worker_env,
        "AUTO_MIGRATE": "true",
        "LOG_FORMAT": "json",
    }


async def test_workers_start_together(empty: dict[str, str], tmp_path: Path) -> None:
    """Each becomes ready, has its row and its queue, and none has anything to complain about."""
    async with open_workers(empty, directory=tmp_path) as made:
        workers = [made.add(name) for name in WORKERS]
        await asyncio.gather(*(worker.start() for worker in workers))

        assert [await worker.is_ready() for worker in workers] == [True] * len(WORKERS)
        assert await _registered(empty["DATABASE_URL"]) == set(WORKERS)
        await _assert_queues(empty)
        await asyncio.gather(*(worker.stop() for worker in workers))
    assert [line for worker in workers for line in _complaints(worker)] == []


async def _registered(database_url: str) -> set[str]:
    connection = await asyncpg.connect(database_url)
    try:
        return {row["id"] for row in await connection.fetch("SELECT id FROM workers")}
    finally:
        await connection.close()


async def _assert_queues(environment: Mapping[str, str]) -> None:
    """Assert that every worker's queue is there and consumed."""
    topology = Topology(prefix=environment["AMQP_PREFIX"])
    connection = await aiormq.connect(environment["AMQP_URL"])
    try:
        channel = await connection.channel()
        for name in WORKERS:
            declared = await channel.queue_declare(topology.worker_queue(name), passive=True)
            assert declared.consumer_count == 1
    finally:
        await connection.close()


def _complaints(worker: WorkerProcess) -> list[dict[str, Any]]:
    """Return what a worker has logged as an error, and every line that is not of its log."""
    lines = worker.log_path.read_text().splitlines()
    events = [json.loads(line) if line.startswith("{") else {"raw": line} for line in lines]
    return [event for event in events if "raw" in event or event["level"] in {"error", "critical"}]
