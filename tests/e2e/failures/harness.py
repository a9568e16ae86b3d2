"""A worker whose every dependency is behind a faulty link, two linked accounts and a customer."""

import asyncio
import base64
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import redis.asyncio

from gateway_contracts import SessionState, Topology
from gateway_worker.devkit.services.values import ObjectStore
from gateway_worker.devkit.worker import WorkerProcess
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.settings import SandboxSettings
from tests.e2e.failures.audit import failures_of, faults_of, unsettled
from tests.e2e.failures.links import REQUIRED, Links
from tests.e2e.failures.traffic import Traffic
from tests.e2e.harness import Gateway, open_gateway
from tests.support.eventually import eventually
from tests.support.pacing import pace
from tests.support.publishing import Publisher

WORKER: Final = "failing"
ACCOUNTS: Final = {"12025550110": "shop", "12025550111": "cafe"}
CUSTOMER: Final = "12025550120"
SETTLE_SECONDS: Final = 40.0

IMPATIENT: Final = {
    "AMQP_HEARTBEAT_SECONDS": "2",
    "AMQP_PUBLISH_TIMEOUT_SECONDS": "2",
    "AMQP_RECONNECT_MAXIMUM_SECONDS": "0.5",
    "DATABASE_STATEMENT_TIMEOUT_SECONDS": "1",
    "DATABASE_ANSWER_TIMEOUT_SECONDS": "1.5",
    "HEALTH_CHECK_INTERVAL_SECONDS": "0.2",
    "HEALTH_CHECK_TIMEOUT_SECONDS": "1",
    "HEARTBEAT_SECONDS": "0.5",
    "REDIS_TIMEOUT_SECONDS": "0.5",
    "SNAPSHOT_QUIET_SECONDS": "0.3",
    "SNAPSHOT_MAXIMUM_SECONDS": "0.6",
    "LOG_FORMAT": "json",
}
"""Notice within a second what takes operators' settings a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureHarness:
    """Everything that a failure test needs.

    Attributes:
        environment: Where the services really are.
        publisher: Publishes commands where the broker itself comes and goes; else the backend does.
    """

    gateway: Gateway
    links: Links
    customer: Phone
    environment: Mapping[str, str]
    publisher: Publisher | None = None

    def traffic(self, label: str) -> Traffic:
        """Return a source of traffic for one test."""
        return Traffic(
            gateway=self.gateway,
            accounts=ACCOUNTS,
            customer=self.customer,
            label=label,
            publish=(self.publisher or self.gateway.backend).publish,
        )

    async def settled(self, traffic: Traffic) -> None:
        """Wait until all that was sent has come to its end."""

        def nothing_waits() -> bool:
            waiting = unsettled(self.gateway.backend, self.customer, traffic.book)
            assert waiting == [], waiting[:5]
            return True

        await eventually(nothing_waits, timeout_seconds=SETTLE_SECONDS, reason="all has settled")

    def audit(self, traffic: Traffic, *, since: int, may_fail: bool = False) -> None:
        """Fail with every promise that was broken since that arrival.

        Commands may fail only where WhatsApp was unavailable: everything else is waited for.
        """
        backend = self.gateway.backend
        faults = faults_of(backend, self.customer, traffic.book, since=since)
        if not may_fail:
            faults += failures_of(backend, traffic.book)
        assert faults == [], "\n".join(faults)

    async def restored(self) -> None:
        """Wait until the worker is ready and all sessions are connected."""

        async def whole() -> bool:
            assert await self.gateway.worker.is_ready()
            states = (await self.gateway.worker.health())["sessions"]["by_state"]
            assert states[SessionState.CONNECTED] == len(ACCOUNTS), states
            return True

        await eventually(whole, timeout_seconds=SETTLE_SECONDS, reason="the gateway is whole")

    async def ready(self) -> tuple[bool, dict[str, Any]]:
        """Return what the readiness probe says."""
        status, body = await self.gateway.worker.probe("/ready")
        return status == 200, json.loads(body or b"{}")

    async def until_noticed(self, *dependencies: str) -> None:
        """Wait until the readiness probe tells by their names which dependencies are away.

        The worker is ready if it can do without all of them.
        """

        async def told() -> bool:
            ready, report = await self.ready()
            for dependency in dependencies:
                state = report["dependencies"][dependency]
                assert not state["ok"], report
                assert state["detail"], report
            named = {reason.partition(":")[0] for reason in report["reasons"]}
            assert named == REQUIRED.intersection(dependencies), report
            assert ready is not bool(named), report
            return True

        await eventually(told, timeout_seconds=30, reason=f"{dependencies} are told to be away")

    @property
    def arrivals(self) -> int:
        """How many events have come so far."""
        return len(self.gateway.backend.arrivals)

    def log_lines(self, offset: int = 0) -> list[dict[str, Any]]:
        """Return the worker's log from a byte offset on."""
        with self.gateway.worker.log_path.open("rb") as log:
            log.seek(offset)
            lines = log.read().decode(errors="replace").splitlines()
        return [
            json.loads(line) if line.startswith("{") else {"event": line, "level": "raw"}
            for line in lines
        ]

    def counted(self, offset: int) -> Counter[str]:
        """Return how often the worker has logged each event since that offset."""
        return Counter(str(line["event"]) for line in self.log_lines(offset))

    @property
    def log_size(self) -> int:
        """The present length of the worker's log, in bytes."""
        return self.gateway.worker.log_path.stat().st_size

    async def forget_route(self, session_id: str) -> None:
        """Delete a session's entry in the routing table, and the worker's."""
        client = redis.asyncio.from_url(self.environment["REDIS_URL"])
        try:
            prefix = self.environment["REDIS_PREFIX"]
            await client.delete(f"{prefix}session:{session_id}", f"{prefix}worker:{WORKER}")
        finally:
            await client.aclose()

    async def sql(self, query: str, *arguments: object) -> Any:
        """Ask the database directly, past its link."""
        connection = await asyncpg.connect(self.environment["DATABASE_URL"])
        try:
            return await connection.fetchval(query, *arguments)
        finally:
            await connection.close()


class LiveWatch:
    """Asks the liveness probe all the time; the answers are judged at the end."""

    def __init__(self, worker: WorkerProcess) -> None:
        self._worker = worker
        self.answers: list[tuple[int, bytes]] = []

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Ask as long as the block lasts; fails if the worker was ever said to be dead."""

        async def ask() -> None:
            while True:
                self.answers.append(await self._worker.probe("/live"))
                await pace(0.2)

        task = asyncio.create_task(ask(), name="live")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        # an answer that did not come in time says more about the machine than about the worker
        wrong = [answer for answer in self.answers if answer[0] not in (0, 200)]
        assert wrong == []
        assert any(status == 200 for status, _ in self.answers)


def settings_for(
    *, amqp_url: str, database_url: str, redis_url: str, s3: ObjectStore, name: str
) -> dict[str, str]:
    """Return the settings of a worker that leads straight to the services."""
    return {
        "AMQP_URL": amqp_url,
        "AMQP_PREFIX": name,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REDIS_PREFIX": f"{name}:",
        "S3_ENDPOINT_URL": s3.endpoint_url,
        "S3_ACCESS_KEY_ID": s3.access_key_id,
        "S3_SECRET_ACCESS_KEY": s3.secret_access_key,
        "S3_REGION": s3.region,
        "S3_BUCKET": s3.bucket,
        "S3_PREFIX": f"{name}/",
        "SNAPSHOT_KEYS": f"test:{base64.b64encode(secrets.token_bytes(32)).decode()}",
        "PACING_PROFILE": "off",  # all write to one customer, more often than anybody would
        **IMPATIENT,
    }


@asynccontextmanager
async def open_harness(
    environment: Mapping[str, str], directory: Path, *, broker_breaks: bool = False
) -> AsyncIterator[FailureHarness]:
    """Start the sandbox, the links, the worker and the backend; link the accounts.

    Where the broker itself breaks, and not only the worker's link to it, the backend has a queue
    that outlives its connection.
    """
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox.open(SandboxSettings()))
        direct = {**environment, **sandbox.worker_env}
        links = await stack.enter_async_context(Links.to(direct))
        gateway = await stack.enter_async_context(
            open_gateway(
                sandbox,
                environment,
                directory,
                workers=(WORKER,),
                reroute=links.reroute,
                durable=broker_breaks,
            )
        )
        for number, session_id in ACCOUNTS.items():
            await gateway.link(session_id, await sandbox.add_phone(number))
        yield FailureHarness(
            gateway=gateway,
            links=links,
            customer=await sandbox.add_phone(CUSTOMER),
            environment=direct,
            publisher=_publisher(direct) if broker_breaks else None,
        )
        assert sandbox.egress_attempts == ()


def _publisher(environment: Mapping[str, str]) -> Publisher:
    topology = Topology(prefix=environment["AMQP_PREFIX"])
    return Publisher(environment["AMQP_URL"], topology=topology)


def complaints(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what a worker should never have to say, whatever is away."""
    return [line for line in lines if line.get("level") in {"error", "critical", "raw"}]
