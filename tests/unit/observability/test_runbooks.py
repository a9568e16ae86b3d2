"""Whoever is woken finds out what to do."""

import re
import shlex

import pytest
import yaml

from gateway_worker.cli import main
from tests.support.prometheus import DEPLOY, alerts

RUNBOOKS = DEPLOY / "runbooks"
TESTS = DEPLOY / "prometheus" / "tests" / "alerts.yaml"
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("name", alerts())
def test_every_alert_has_a_runbook(name: str) -> None:
    """It says when the alert fires, and ends with a command of `gateway-worker ctl` that exists."""
    alert = alerts()[name]
    path = DEPLOY.parent / alert["annotations"]["runbook"]
    text = path.read_text()
    blocks = BLOCK.findall(text)

    assert text.startswith(f"# {name}\n")
    assert ("promql", f"{alert['expr']}\n") in blocks
    assert text.rstrip().endswith("```")
    language, commands = blocks[-1]
    assert language == "sh"
    for line in commands.splitlines():
        program, *words = shlex.split(line)
        assert (program, words[0]) == ("gateway-worker", "ctl")
        assert main([*words, "--help"]) == 0  # 2 if there is no such command, or option


def test_there_is_no_runbook_without_an_alert() -> None:
    """Each is for one alert."""
    named = {DEPLOY.parent / alert["annotations"]["runbook"] for alert in alerts().values()}

    assert named == {path for path in RUNBOOKS.iterdir() if path.name != "README.md"}


def test_every_alert_is_tried_firing_and_not() -> None:
    """By promtool: once with what makes it fire, once with what may look like that."""
    tried = {True: set[str](), False: set[str]()}
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for one in test["alert_rule_test"]:
            tried[bool(one["exp_alerts"])].add(one["alertname"])

    names = set(alerts())
    assert tried == {True: names, False: names}


@pytest.mark.parametrize("name", alerts())
def test_operators_find_every_alert(name: str) -> None:
    """In the table of deploy/README.md, with its runbook."""
    runbook = alerts()[name]["annotations"]["runbook"].removeprefix("deploy/")

    assert f"[{name}]({runbook})" in (DEPLOY / "README.md").read_text()


@pytest.mark.parametrize("name", alerts())
def test_every_alert_says_who_is_to_look(name: str) -> None:
    """At once, or in the morning."""
    alert = alerts()[name]

    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"]
