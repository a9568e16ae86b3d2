"""A password that ends too early is noticed before it is shown."""

import pytest

from gateway_worker.runtime.urls import has_torn_login


@pytest.mark.parametrize(
    "url",
    [
        "amqp://u:12/34@broker:5672/vhost",
        "amqp://u:12?34@broker/vhost",
        "redis://:12#34@cache/0",
        "postgresql://u:12/3/4@db/gateway?sslmode=disable",
        "postgresql://u/ser:p@db/gateway",
    ],
)
def test_a_login_that_is_torn_is_found(url: str) -> None:
    """By its @, which stands behind what is taken for the host."""
    assert has_torn_login(url)


@pytest.mark.parametrize(
    "url",
    [
        "amqp://u:p%2F34@a,b/vhost",
        "amqp://u:p@ss@broker/v?cafile=/a@b",
        "amqp://broker",
        "redis://cache/0",
        "unix:///run/a@b/redis.sock?db=1",
        "postgresql://db/gateway?user=me@corp&host=/run/x@y",
        "postgresql:///gateway?host=/run/x",
        "nothing",
    ],
)
def test_others_are_not(url: str) -> None:
    """Whatever stands in their paths and parameters."""
    assert not has_torn_login(url)
