"""The shipped rules as Prometheus' own tool judges them."""

import pytest

from tests.support.prometheus import DEPLOY, promtool

PROMETHEUS = DEPLOY / "prometheus"


async def test_the_configuration_and_all_rules_are_valid() -> None:
    """As an operator would check them."""
    output = await promtool("check", "config", str(PROMETHEUS / "prometheus.yaml"))

    assert "SUCCESS" in output


@pytest.mark.parametrize("name", ["alerts", "recording"])
async def test_the_rules_say_what_they_should(name: str) -> None:
    """Each alert in series in which it fires, and in others; each recorded figure by its value."""
    output = await promtool("test", "rules", str(PROMETHEUS / "tests" / f"{name}.yaml"))

    assert "SUCCESS" in output
