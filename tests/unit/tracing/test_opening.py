"""Traces are an extra: whoever does not want them does not load it, and need not have it."""

import subprocess
import sys

import pytest
from pydantic import SecretStr, ValidationError

from gateway_worker.tracing import TracingSettings, open_traces

WITHOUT = """
import asyncio, sys
sys.modules["opentelemetry"] = None
import gateway_worker.app
from gateway_worker.errors import ConfigurationError
from gateway_worker.tracing import TracingSettings, open_traces

async def main():
    async with open_traces(TracingSettings(), worker_id="w", prefix="wa") as traces:
        assert traces is None
    try:
        async with open_traces(
            TracingSettings(endpoint="http://127.0.0.1:1"), worker_id="w", prefix="wa"
        ):
            pass
    except ConfigurationError as error:
        assert "gateway-worker[otel]" in str(error), error
    else:
        raise AssertionError("it has opened without the extra")

asyncio.run(main())
"""


def test_a_worker_works_without_the_extra() -> None:
    """And says what is missing if traces are wanted."""
    subprocess.run([sys.executable, "-c", WITHOUT], check=True, timeout=50)


async def test_nothing_is_traced_without_a_collector() -> None:
    """There is nothing that could be asked to."""
    async with open_traces(TracingSettings(), worker_id="w", prefix="wa") as traces:
        assert traces is None


@pytest.mark.parametrize(
    "endpoint", ["collector:4318", "ftp://collector", "http://", "http://a:b@collector:4318"]
)
def test_an_endpoint_is_a_plain_url(endpoint: str) -> None:
    """Without credentials."""
    with pytest.raises(ValidationError):
        TracingSettings(endpoint=endpoint)


def test_headers_are_pairs() -> None:
    """Several, each with its value; a wrong one is refused."""
    settings = TracingSettings(headers=SecretStr("Authorization=Basic a==,x-team= b"))

    assert settings.header_pairs() == {"authorization": "Basic a==", "x-team": "b"}
    with pytest.raises(ValidationError):
        TracingSettings(headers=SecretStr("authorization"))
