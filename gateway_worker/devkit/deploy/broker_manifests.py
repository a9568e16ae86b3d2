"""RabbitMQ for Kubernetes' operators: a cluster, and users with the rights of `deploy/rabbitmq`.

The cluster operator runs the nodes, the messaging topology operator keeps virtual host, users,
rights and the policy. Exchanges and queues are the workers' own, who declare them.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from gateway_worker.devkit.deploy.tools import CHECKOUT

_RABBITMQ: Final = CHECKOUT / "deploy/rabbitmq"
CLUSTER: Final = "gateway"
NOBODY_LOGS_IN_AS: Final = "gateway-trusted"
"""For development: `deploy/rabbitmq` has it without a password; the operator would give it one."""
_NODES: Final = 3
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_APART: Final = {
    "labelSelector": {"matchLabels": {"app.kubernetes.io/name": CLUSTER}},
    "topologyKey": "kubernetes.io/hostname",
}

Manifest = dict[str, Any]


def cluster() -> Manifest:
    """Return the cluster: three nodes, as quorum queues want them."""
    return {
        "apiVersion": "rabbitmq.com/v1beta1",
        "kind": "RabbitmqCluster",
        "metadata": {"name": CLUSTER},
        "spec": {
            "replicas": _NODES,
            "persistence": {"storage": "20Gi"},
            "resources": {
                "requests": {"cpu": "1", "memory": "2Gi"},
                "limits": {"cpu": "2", "memory": "2Gi"},
            },
            "rabbitmq": {"additionalConfig": _configuration()},
            # A node that stops waits until each queue has a majority without it
            "terminationGracePeriodSeconds": 600,
            "affinity": {"podAntiAffinity": {_REQUIRED: [_APART]}},
        },
    }


def topology() -> list[Manifest]:
    """Return virtual host, policy, users and their rights."""
    found = json.loads((_RABBITMQ / "users.json").read_text())
    return [*_virtual_hosts(found), *_users(found), *_permissions(found), *_topics(found)]


def _configuration() -> str:
    lines = (_RABBITMQ / "rabbitmq.conf").read_text().splitlines()
    settings = [line for line in lines if line and not line.startswith("#")]
    # The side with fewer nodes stops: the others go on, and nothing has to be merged
    return "\n".join([*settings, "cluster_partition_handling = pause_minority"]) + "\n"


def _virtual_hosts(found: dict[str, Any]) -> Iterator[Manifest]:
    for virtual_host in found["vhosts"]:
        name = virtual_host["name"]
        yield _resource("Vhost", name, {"name": name, "defaultQueueType": "quorum"})
        policy = {
            "name": "gateway",
            "vhost": name,
            "pattern": r"^wa\.",
            "applyTo": "queues",
            # Leaders on all nodes, and a copy on each again after one was lost. Limits and dead
            # letters are the queues' own arguments, which a policy must not undo.
            "definition": {"queue-leader-locator": "balanced", "target-group-size": _NODES},
        }
        yield _resource("Policy", f"{name}-queues", policy)


def _users(found: dict[str, Any]) -> Iterator[Manifest]:
    for user in found["users"]:
        if user["name"] == NOBODY_LOGS_IN_AS:
            continue
        spec: Manifest = {"tags": user["tags"]} if user["tags"] else {}
        # A Secret with `username` and `password`, made by whoever installs this
        spec["importCredentialsSecret"] = {"name": f"{user['name']}-credentials"}
        yield _resource("User", user["name"], spec)


def _permissions(found: dict[str, Any]) -> Iterator[Manifest]:
    for right in found["permissions"]:
        if right["user"] != NOBODY_LOGS_IN_AS:
            patterns = {kind: right[kind] for kind in ("configure", "write", "read")}
            spec = {
                "vhost": right["vhost"],
                "userReference": {"name": right["user"]},
                "permissions": patterns,
            }
            yield _resource("Permission", right["user"], spec)


def _topics(found: dict[str, Any]) -> Iterator[Manifest]:
    for right in found["topic_permissions"]:
        if right["user"] != NOBODY_LOGS_IN_AS:
            name = f"{right['user']}-{right['exchange'].replace('.', '-')}"
            spec = {
                "vhost": right["vhost"],
                "userReference": {"name": right["user"]},
                "permissions": {kind: right[kind] for kind in ("exchange", "write", "read")},
            }
            yield _resource("TopicPermission", name, spec)


def _resource(kind: str, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": "rabbitmq.com/v1beta1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {**spec, "rabbitmqClusterReference": {"name": CLUSTER}},
    }
