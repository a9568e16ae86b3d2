"""Files in `deploy/` that follow from settings and contract say what these say."""

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from gateway_worker.devkit.deploy import broker_manifests, chart, generated
from gateway_worker.devkit.deploy.tools import CHECKOUT

RABBITMQ = CHECKOUT / "deploy/rabbitmq"


def test_they_are_as_generated() -> None:
    """`python -m gateway_worker.devkit.deploy generate` was run."""
    assert generated.stale() == []


def test_the_charts_own_values_fit_their_schema() -> None:
    """Each of them has a place in it."""
    schema = json.loads((chart.CHART / "values.schema.json").read_text())
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text())
    Draft7Validator.check_schema(schema)

    assert list(Draft7Validator(schema).iter_errors(values)) == []
    assert values.keys() == schema["properties"].keys() - {"global"}


def manifests(kind: str) -> list[dict[str, Any]]:
    """Return what the operators get of one kind."""
    return [each for each in broker_manifests.topology() if each["kind"] == kind]


@pytest.mark.parametrize(
    ("kind", "listed", "patterns"),
    [
        ("Permission", "permissions", ("configure", "write", "read")),
        ("TopicPermission", "topic_permissions", ("exchange", "write", "read")),
    ],
)
def test_users_have_the_rights_of_the_contract(
    kind: str, listed: str, patterns: tuple[str, ...]
) -> None:
    """Pattern by pattern, and nobody else has any."""
    users = json.loads((RABBITMQ / "users.json").read_text())
    expected = {
        (right["user"], *(right[pattern] for pattern in patterns))
        for right in users[listed]
        if right["user"] != broker_manifests.NOBODY_LOGS_IN_AS
    }

    assert expected == {
        (
            each["spec"]["userReference"]["name"],
            *(each["spec"]["permissions"][pattern] for pattern in patterns),
        )
        for each in manifests(kind)
    }


def test_passwords_come_from_secrets() -> None:
    """None is in a file, and the operator draws none that nobody knows."""
    for user in manifests("User"):
        assert user["spec"]["importCredentialsSecret"] == {
            "name": f"{user['metadata']['name']}-credentials"
        }


def test_the_policy_undoes_no_queues_argument() -> None:
    """A limit or a dead-letter exchange of a policy's would compete with what workers declare."""
    (policy,) = manifests("Policy")

    assert policy["spec"]["definition"].keys() == {"queue-leader-locator", "target-group-size"}


def test_nodes_have_the_brokers_settings() -> None:
    """Those of `deploy/rabbitmq/rabbitmq.conf`."""
    configured = broker_manifests.cluster()["spec"]["rabbitmq"]["additionalConfig"].splitlines()
    lines = (RABBITMQ / "rabbitmq.conf").read_text().splitlines()

    assert {line for line in lines if line and not line.startswith("#")} <= set(configured)
