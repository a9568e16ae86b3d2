"""A gateway as its operator sees it: on a real Prometheus, with the shipped rules and dashboards.

What the alerts are about is brought about, not only what they look at.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway_contracts import BulkCreate, ErrorCode, SessionRestart, SessionState
from gateway_worker.devkit.dashboards.grafana import BOARDS
from gateway_worker.devkit.services import RunningServices
from gateway_worker.devkit.services.rabbitmq import LocalRabbitMq
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.service.faults import ALWAYS, Faults, LoginFailure
from gateway_worker.sandbox.service.reachout import Timelock
from tests.e2e.failures.links import POSTGRESQL, RABBITMQ, S3, Links, stalled, stopped
from tests.e2e.harness import Gateway, open_gateway
from tests.support.eventually import eventually
from tests.support.prometheus import PATIENCE_SECONDS, Prometheus, impatient, prometheus

SOON = {
    "AMQP_UPKEEP_INTERVAL_SECONDS": "1",
    "CAPACITY": "2",
    "HEARTBEAT_SECONDS": "0.5",
    "LEASE_SECONDS": "4",
    "SILENCE_SECONDS": "3",
    "SILENCE_PROBE_SECONDS": "1",
    "SNAPSHOT_QUIET_SECONDS": "0.3",
    "SNAPSHOT_MAXIMUM_SECONDS": "0.6",
    "DATABASE_POOL_SIZE": "2",
    "DATABASE_POOL_OVERFLOW": "0",
}
LOWER: Mapping[str, Sequence[float]] = {
    "GatewaySessionSilent": (60, 1),  # it connects anew before anybody sees a long silence
    "GatewayLeaseFlapping": (1,),
    "GatewayOutboxOld": (2,),
    "GatewayDeadLettersGrow": (1,),
    "GatewayNewChatsRefused": (1,),
    "GatewayAccountsBanned": (1,),
    "GatewaySnapshotsBehind": (5,),
    "GatewayBulkStuck": (2,),
}
"""One is enough here, and seconds in place of minutes."""
FILLED = {"$__rate_interval": "1m", "$worker": ".+"}
"""What Grafana fills in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A gateway that is looked at.

    Attributes:
        broker: It has no other users.
        shop: The phone of the session of that name.
        other: Likewise.
        ada: A customer.
    """

    gateway: Gateway
    links: Links
    broker: LocalRabbitMq
    prometheus: Prometheus
    shop: Phone
    other: Phone
    ada: Phone

    @asynccontextmanager
    async def raising(self, *names: str) -> AsyncIterator[None]:
        """Expect that alerts do not fire before the block, and that what it begins makes them."""

        async def quiet() -> bool:  # what flashed for a moment does not count
            assert not set(names) & await self.prometheus.firing()
            return True

        await eventually(quiet, timeout_seconds=PATIENCE_SECONDS, reason=f"{names} do not fire")
        yield
        await self.prometheus.fires(*names)


@pytest.fixture
async def observed(
    sandbox: Sandbox,
    environment: dict[str, str],
    own_services: RunningServices,
    tmp_path: Path,
) -> AsyncIterator[Observed]:
    """One worker behind links that can be cut, with two sessions, and Prometheus."""
    broker = own_services.rabbitmq
    assert isinstance(broker, LocalRabbitMq)
    settings = {**environment, **SOON, "AMQP_URL": broker.url}
    async with (
        Links.to({**settings, **sandbox.worker_env}) as links,
        open_gateway(sandbox, settings, tmp_path, reroute=links.reroute) as gateway,
        prometheus(
            tmp_path / "prometheus",
            targets=[f"127.0.0.1:{gateway.worker.probe_port}"],
            rules=impatient(LOWER),
        ) as looking,
    ):
        yield Observed(
            gateway=gateway,
            links=links,
            broker=broker,
            prometheus=looking,
            shop=await sandbox.add_phone(),
            other=await sandbox.add_phone(),
            ada=await sandbox.add_phone(),
        )


@pytest.mark.timeout(600)
async def test_what_goes_wrong_is_seen(observed: Observed) -> None:
    """Panels have their figures, and alerts fire, one cause after the other."""
    await _traffic(observed)
    await _look_at_every_panel(observed.prometheus)
    await _full(observed)
    await _bad_commands(observed)
    await _refused_new_chat(observed)
    await _silent(observed)
    await _refused_logins(observed)
    await _bulk_without_connection(observed)
    await _without_bucket(observed)
    await _without_broker(observed)
    await _blocked_broker(observed)
    await _without_database(observed)
    async with observed.raising("GatewayWorkerDown"):
        await observed.gateway.worker.kill()


async def _traffic(observed: Observed) -> None:
    """Have something to look at: messages both ways, a failure, a receipt."""
    gateway, ada = observed.gateway, observed.ada
    await gateway.link("shop", observed.shop)
    await gateway.send("shop", ada.number, "hello")
    await ada.send_text(observed.shop.number, "hello!")
    failed = await gateway.fail(gateway.text("shop", "+12025559999", "who is there?"))
    assert failed.data.error.code is ErrorCode.RECIPIENT_NOT_ON_WHATSAPP


async def _look_at_every_panel(looking: Prometheus) -> None:
    for board in BOARDS:
        for panel, query in board.queries():
            expr = query.expr
            for name, value in FILLED.items():
                expr = expr.replace(name, value)

            async def is_there(expr: str = expr) -> bool:
                return bool(await looking.query(expr))

            await eventually(
                is_there, timeout_seconds=60, reason=f"{board.uid}, {panel.title}: {expr}"
            )


async def _full(observed: Observed) -> None:
    async with observed.raising("GatewayFleetFull"):
        await observed.gateway.link("other", observed.other)


async def _bad_commands(observed: Observed) -> None:
    async with observed.raising("GatewayDeadLettersGrow"):
        for _ in range(3):
            await observed.gateway.backend.publish_raw(b"no command", session_id="shop")


async def _refused_new_chat(observed: Observed) -> None:
    gateway, stranger = observed.gateway, await observed.gateway.sandbox.add_phone()
    until = datetime.now(UTC) + timedelta(hours=1)
    async with observed.raising("GatewayNewChatsRefused"):
        gateway.sandbox.set_timelock(
            observed.shop.number, Timelock(until=until, kind="WEB_COMPANION_ONLY")
        )
        refused = await gateway.fail(gateway.text("shop", stranger.number, "buy!"))
        assert refused.data.error.code is ErrorCode.REACHOUT_RESTRICTED
    gateway.sandbox.set_timelock(observed.shop.number, None)


async def _silent(observed: Observed) -> None:
    gateway, number = observed.gateway, observed.other.number
    after = len(gateway.backend.arrivals)
    # On a busy machine a second without a frame is nothing rare: it may fire before.
    gateway.sandbox.faults.set(number, Faults(silent=True))
    await gateway.until("other", SessionState.RECONNECTING, after=after)
    gateway.sandbox.faults.clear(number)
    await observed.prometheus.fires("GatewaySessionSilent")
    await gateway.until("other", SessionState.CONNECTED, after=after)


async def _refused_logins(observed: Observed) -> None:
    for alert, failure, state in (
        ("GatewayAccountsBanned", LoginFailure(reason=402, ban_code=105), SessionState.BANNED),
        ("GatewayClientOutdated", LoginFailure(reason=405), SessionState.FAILED),
    ):
        gateway, number = observed.gateway, observed.other.number
        async with observed.raising(alert):
            after = len(gateway.backend.arrivals)
            gateway.sandbox.faults.set(number, Faults(login_failure=failure))
            gateway.sandbox.connections.drop(number)
            await gateway.until("other", state, after=after)
        gateway.sandbox.faults.clear(number)
        after = len(gateway.backend.arrivals)
        await gateway.succeed(SessionRestart(source=gateway.backend.source, subject="other"))
        await gateway.until("other", SessionState.CONNECTED, after=after)


async def _bulk_without_connection(observed: Observed) -> None:
    gateway, number = observed.gateway, observed.shop.number
    after = len(gateway.backend.arrivals)
    async with observed.raising("GatewayBulkStuck"):
        gateway.sandbox.faults.set(number, Faults(drop_logins=ALWAYS))
        gateway.sandbox.connections.drop(number)
        await gateway.until("shop", SessionState.RECONNECTING, after=after)
        await gateway.succeed(
            BulkCreate.model_validate(
                {
                    "source": gateway.backend.source,
                    "subject": "shop",
                    "data": {
                        "content": {"kind": "text", "text": "news"},
                        "rows": [{"to": observed.ada.number}],
                    },
                }
            )
        )
    after = len(gateway.backend.arrivals)
    gateway.sandbox.faults.clear(number)
    await gateway.until("shop", SessionState.CONNECTED, after=after, seconds=60)


async def _without_bucket(observed: Observed) -> None:
    async with stopped(observed.links[S3]), observed.raising("GatewaySnapshotsBehind"):
        await observed.ada.send_text(observed.shop.number, "this changes the device store")


async def _blocked_broker(observed: Observed) -> None:
    try:
        async with observed.raising("GatewayBrokerBlocked"):
            await observed.broker._control("set_vm_memory_high_watermark", "0.0000001")
    finally:
        await observed.broker._control("set_vm_memory_high_watermark", "absolute", "768MB")


async def _without_broker(observed: Observed) -> None:
    async with stopped(observed.links[RABBITMQ]), observed.raising("GatewayOutboxOld"):
        await observed.ada.send_text(observed.shop.number, "nobody learns of this yet")


async def _without_database(observed: Observed) -> None:
    async with (
        stalled(observed.links[POSTGRESQL]),
        observed.raising("GatewayDatabasePoolExhausted", "GatewayLeaseFlapping"),
    ):
        await observed.ada.send_text(observed.shop.number, "nobody writes this down yet")
