"""The launcher on a Docker engine: run wherever one answers."""

import asyncpg
import pytest

from gateway_worker.devkit.services import LaunchOptions, ServicesError, Source, local_services
from gateway_worker.devkit.services.buckets import bucket_exists
from gateway_worker.devkit.services.containers import engine_refusal


@pytest.mark.timeout(600)
async def test_docker_is_used_where_an_engine_answers_and_named_where_none_does() -> None:
    """With an engine all four services come from it; without one the wish for it fails loudly."""
    options = LaunchOptions(environment={"WA_SERVICES": "docker"})
    if engine_refusal() is not None:
        with pytest.raises(ServicesError, match="no Docker engine answers"):
            async with local_services(options):
                pass
        return
    async with local_services(options) as running:
        assert {handle.source for handle in running} == {Source.DOCKER}
        vhost_url = await running.rabbitmq.add_vhost("another")
        await running.postgres.kill()
        await running.postgres.start()
        connection = await asyncpg.connect(running.postgres.url)
        await connection.close()

        assert vhost_url.endswith("/another")
        assert await bucket_exists(running.s3.settings)
