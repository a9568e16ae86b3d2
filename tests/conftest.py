"""Fixtures that every test may use; the services behind them are real."""

import gc
import os
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from gateway_worker.devkit.services import ObjectStore, RunningServices, Services
from gateway_worker.devkit.services.buckets import bucket_exists
from gateway_worker.devkit.services.containers import engine_refusal
from tests.support import databases
from tests.support.commands import Commands, open_commands
from tests.support.eventually import eventually
from tests.support.services import (
    OwnServices,
    SharedServices,
    random_name,
    run_apart,
    shared_services,
)
from tests.support.services import (
    own_services as hold_own_services,
)

SERVICE_FIXTURES = frozenset(
    {
        "services",
        "amqp_url",
        "database_url",
        "blank_database_url",
        "redis_url",
        "s3",
        "own_services",
    }
)
OWN_SERVICES = "own_services"
SOURCES = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a long run be asked for."""
    parser.addoption(
        "--commands", type=int, default=300, help="how many commands are generated; see e2e/broken"
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the collector from walking what is imported and collected: now, and in every test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they use; those that break services share one process and one set."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if names & SERVICE_FIXTURES:
            item.add_marker(pytest.mark.services)
        if OWN_SERVICES in names:
            item.add_marker(pytest.mark.xdist_group(OWN_SERVICES))


@pytest.hookimpl(trylast=True, specname="pytest_collection_modifyitems")
def pytest_keep_groups_together(items: list[pytest.Item]) -> None:
    """Give effect to xdist's groups: from pytest 9.2 on an item's id is not where xdist sets it."""
    for item in items:
        grouped = getattr(item, "_nodeid", item.nodeid)
        if grouped != item.nodeid:
            item._id = type(item.id).parse(grouped)


@pytest.fixture(scope="session")
def shared(request: pytest.FixtureRequest) -> Iterator[SharedServices]:
    """Hold a lease on the services that all test processes of this run share."""
    run_id = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
    with shared_services(run_id[:12]) as lease:
        sources = {name: source.value for name, source in lease.sources.items()}
        output = getattr(request.config, "workeroutput", None)
        if output is not None:
            output["services"] = sources
        request.config.stash[SOURCES] = sources
        yield lease


@pytest.fixture(scope="session")
def services(shared: SharedServices) -> Services:
    """Return where the shared services are."""
    return shared.addresses


@pytest.fixture(scope="session")
def amqp_url(shared: SharedServices) -> str:
    """Return a broker URL with a virtual host of this process's own.

    A broker that was given by URL has no virtual host for us: use `topology_prefix` in any case.
    """
    return shared.add_vhost(random_name())


@pytest.fixture
def topology_prefix() -> str:
    """Return a prefix for exchanges and queues that no other test has."""
    return random_name()


@pytest.fixture(scope="session")
def database_template(services: Services) -> Iterator[str]:
    """Return the name of a migrated database to copy."""
    name = run_apart(lambda: databases.create_template(services.database_url))
    yield name
    drop = f"DROP DATABASE {name} WITH (FORCE)"
    run_apart(lambda: databases.execute(services.database_url, drop))


@pytest.fixture
async def database_url(services: Services, database_template: str) -> AsyncIterator[str]:
    """Return the URL of a migrated database of this test's own."""
    async with databases.fresh_database(services.database_url, template=database_template) as url:
        yield url


@pytest.fixture
async def blank_database_url(services: Services) -> AsyncIterator[str]:
    """Return the URL of an empty database of this test's own."""
    async with databases.fresh_database(services.database_url) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(services: Services) -> str:
    """Return the shared Redis; keep to keys below `redis_prefix`."""
    return services.redis_url


@pytest.fixture
def redis_prefix() -> str:
    """Return a key prefix that no other test has."""
    return f"{random_name()}:"


@pytest.fixture(scope="session")
def s3(services: Services) -> ObjectStore:
    """Return the object store with a bucket of this process's own."""
    store = replace(services.s3, bucket=f"{random_name()}-media")

    async def create() -> None:
        assert await eventually(partial(bucket_exists, store), reason="the bucket is there")

    run_apart(create)
    return store


@pytest.fixture
def s3_prefix() -> str:
    """Return an object key prefix that no other test has."""
    return f"{random_name()}/"


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """Return what runs `gateway-worker …`."""
    with open_commands() as opened:
        yield opened


@pytest.fixture(scope="session")
def own_services_of_this_process() -> Iterator[OwnServices]:
    """Hold the private set between tests."""
    with hold_own_services() as own:
        yield own


@pytest.fixture
async def own_services(own_services_of_this_process: OwnServices) -> RunningServices:
    """Return private services, all running, that the test may kill, pause and restart."""
    await own_services_of_this_process.make_whole()
    return own_services_of_this_process.services


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a test process says about its services, for the summary."""
    sources = getattr(node, "workeroutput", {}).get("services")
    if sources:
        node.config.stash[SOURCES] = sources


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which services the tests ran on, and whether the Docker path was among them."""
    sources = config.stash.get(SOURCES, None)
    if sources is None:
        return
    named = ", ".join(f"{name} {source}" for name, source in sorted(sources.items()))
    terminalreporter.write_line(f"services: {named}")
    if "docker" not in sources.values() and engine_refusal() is not None:
        terminalreporter.write_line("services: no Docker engine answers; that path was not run")
