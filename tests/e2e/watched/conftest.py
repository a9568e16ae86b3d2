"""One gateway that logs at `debug` and has everything traced, with a session that is linked.

The tests run one after the other in one test process, on one event loop, and leave it connected.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_contracts import HistoryDepth, SessionQr, SessionState
from gateway_worker.devkit.services.process import spawned
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.conftest import GatewayMaker
from tests.e2e.harness import Gateway, open_gateway
from tests.support.authority import Authority, Files
from tests.support.grouping import keep_on_one_loop
from tests.support.otlp import Collector, collector
from tests.support.planted import Planted

HERE = Path(__file__).parent
NAME = "watched"


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one process and on one loop, so that their gateway is made once."""
    keep_on_one_loop(items, HERE)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """The gateway, and who it is about.

    Attributes:
        gateway: Its worker logs and traces everything.
        spans: Where the traces go.
        planted: What is private in it.
        shop: The phone of the session's account.
        ada: Somebody's.
        ben: Somebody else's.
    """

    gateway: Gateway
    spans: Collector
    planted: Planted
    shop: Phone
    ada: Phone
    ben: Phone


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def watched(
    gateway_maker: GatewayMaker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Watched]:
    """The gateway of all of them.

    The collector is of a private authority, and wants a certificate.
    """
    planted = Planted()
    authority, directory = Authority("collector"), tmp_path_factory.mktemp("watched")
    server, client = Files.below(directory / "server"), Files.below(directory / "client")
    authority.write(server)
    authority.write(client)
    async with (
        collector(server) as spans,
        gateway_maker.place() as (sandbox, environment),
    ):
        for name in ("S3_SECRET_ACCESS_KEY", "SNAPSHOT_KEYS"):
            planted.secret(name, environment[name].rpartition(":")[2])
        settings = {
            **environment,
            "LOG_LEVEL": "debug",
            "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url,
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(client.ca),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(client.certificate),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(client.key),
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-token={planted.word('Token')}",
            "OTEL_SERVICE_NAME": "gateway",
        }
        # As deployed: its secrets come in the environment with which its program is started
        async with open_gateway(sandbox, settings, directory, spawn=spawned) as gateway:
            phones = [
                await sandbox.add_phone(push_name=planted.word(name))
                for name in ("Shop", "Ada", "Ben")
            ]
            for name, phone in zip(("shop", "Ada", "Ben"), phones, strict=True):
                planted.person(name, phone)
            shop, ada, ben = phones
            await gateway.create(
                NAME,
                history=HistoryDepth.RECENT,
                labels={"team": planted.word("Label")},
                metadata={"note": planted.word("Note")},
            )
            code = (await gateway.backend.expect(SessionQr, NAME)).data.code
            planted.qr(code)
            await shop.scan(code)
            await gateway.until(NAME, SessionState.CONNECTED)
            yield Watched(
                gateway=gateway, spans=spans, planted=planted, shop=shop, ada=ada, ben=ben
            )
