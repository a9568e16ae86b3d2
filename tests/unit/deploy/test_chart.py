"""The Helm chart, rendered by Helm: what it says is what the worker does."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway_worker.config import load_settings
from gateway_worker.config.variables import BY_NAME
from gateway_worker.devkit.deploy import chart
from gateway_worker.devkit.deploy.tools import CHECKOUT
from gateway_worker.devkit.deploy.values_schema import LIBRARIES
from gateway_worker.health.server import PATHS
from gateway_worker.metrics import make_metrics
from gateway_worker.runtime.budget import TAIL_SECONDS

MINIMAL = chart.CHART / "ci/minimal-values.yaml"
PRODUCTION = chart.CHART / "ci/production-values.yaml"
SMALL = chart.CHART / "ci/small-values.yaml"
SECRETS = {
    "AMQP_URL": "amqps://u:p@rabbitmq/gateway",
    "DATABASE_URL": "postgresql://u:p@postgres/gateway?sslmode=verify-full",
    "REDIS_URL": "rediss://:p@redis/0",
    "SNAPSHOT_KEYS": "a:" + "A" * 43 + "=",
}
"""What the Secret has."""

every_way = pytest.mark.parametrize("values", chart.VALUES, ids=lambda path: str(path.stem))


def of_kind(values: Path, kind: str) -> list[chart.Manifest]:
    """Return what is rendered of one kind."""
    return [each for each in chart.manifests(values) if each["kind"] == kind]


def the(values: Path, kind: str) -> chart.Manifest:
    """Return the only one of a kind."""
    (found,) = of_kind(values, kind)
    return found


def pod(values: Path) -> dict[str, Any]:
    """Return a worker's pod."""
    found: dict[str, Any] = the(values, "StatefulSet")["spec"]["template"]["spec"]
    return found


def container(values: Path) -> dict[str, Any]:
    """Return the worker's container."""
    (found,) = pod(values)["containers"]
    result: dict[str, Any] = found
    return result


def environment(found: dict[str, Any]) -> dict[str, str]:
    """Return what a container's environment says, the pod's name filled in."""
    return {each["name"]: each.get("value", "gateway-0") for each in found["env"]}


def pods(values: Path) -> list[dict[str, Any]]:
    """Return every kind of pod that there is."""
    return [
        each["spec"]["template"]["spec"]
        for each in chart.manifests(values)
        if each["kind"] in {"StatefulSet", "Job"}
    ]


def test_there_are_three_ways_to_fill_it_in() -> None:
    """None of them is forgotten when the checks go through them."""
    assert set(chart.VALUES) == {MINIMAL, PRODUCTION, SMALL}


@every_way
def test_every_variable_is_one_of_the_workers(values: Path) -> None:
    """Or one that a library reads: a name that nobody knows would do nothing."""
    for each in pods(values):
        names = environment(each["containers"][0]).keys() - {"SECRETS_DIR", *LIBRARIES}
        assert names <= BY_NAME.keys()


def test_what_libraries_read_is_what_the_documents_name() -> None:
    """How services are reached over TLS holds on Kubernetes, too."""
    security = (CHECKOUT / ".github/SECURITY.md").read_text()
    named = [name.replace("OTEL_EXPORTER_OTLP_CLIENT_", "…_CLIENT_") for name in LIBRARIES]

    assert [name for name in named if f"`{name}`" not in security] == []
    assert environment(container(PRODUCTION))["OTEL_EXPORTER_OTLP_CERTIFICATE"].startswith(
        volume_path(PRODUCTION, "certificates")
    )


@every_way
def test_the_worker_starts_with_these_settings(values: Path) -> None:
    """With the Secret's, they pass the worker's own check; production included."""
    given = environment(container(values))
    del given["SECRETS_DIR"]  # on this machine there is none
    settings = load_settings(SECRETS | given)

    assert settings.worker_id == "gateway-0"
    assert settings.health.port == container(values)["ports"][0]["containerPort"]
    assert str(settings.data_dir).startswith(volume_path(values, "data"))


def volume_path(values: Path, name: str) -> str:
    """Return where a volume is mounted."""
    (found,) = [each for each in container(values)["volumeMounts"] if each["name"] == name]
    return str(found["mountPath"])


def test_numbers_and_truths_arrive_as_they_were_written() -> None:
    """Helm reads numbers as floating ones."""
    found = environment(container(PRODUCTION))

    assert found["SPOOL_LIMIT_BYTES"] == "67108864"
    assert found["PACING_JITTER"] == "0.25"
    assert found["SPOOL_SYNC"] == "true"
    assert environment(container(SMALL))["DRAIN_SECONDS"] == "12.5"


@every_way
def test_secrets_are_mounted_where_they_are_looked_for(values: Path) -> None:
    """As files, by reference, and in no variable."""
    for each in pods(values):
        (where,) = [e["value"] for e in each["containers"][0]["env"] if e["name"] == "SECRETS_DIR"]
        mounts = {m["mountPath"]: m["name"] for m in each["containers"][0]["volumeMounts"]}
        volumes = {volume["name"]: volume for volume in each["volumes"]}
        sources = volumes[mounts[where]]["projected"]["sources"]
        assert [list(source) for source in sources] == [["secret"]] * len(sources)
    assert of_kind(values, "Secret") == []


def test_single_secrets_can_come_from_elsewhere() -> None:
    """By the variable's name where no key is given."""
    (volume,) = [each for each in pod(PRODUCTION)["volumes"] if each["name"] == "secrets"]
    items = [each["secret"] for each in volume["projected"]["sources"] if "items" in each["secret"]]

    assert items == [
        {"name": "gateway-broker", "items": [{"key": "url", "path": "AMQP_URL"}]},
        {
            "name": "gateway-snapshot-keys",
            "items": [{"key": "SNAPSHOT_KEYS", "path": "SNAPSHOT_KEYS"}],
        },
    ]


@every_way
def test_probes_ask_what_the_worker_answers(values: Path) -> None:
    """At its port, and for its life what says that its loop turns."""
    found = container(values)
    (port,) = found["ports"]
    probes = {
        kind: found[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")
    }

    assert str(port["containerPort"]) == environment(found)["HEALTH_PORT"]
    assert environment(found)["HEALTH_HOST"] == "::"
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    assert {probe["path"] for probe in probes.values()} <= set(PATHS)
    assert probes["startup"]["path"] == probes["liveness"]["path"] == "/live"
    assert probes["readiness"]["path"] == "/ready"


@every_way
def test_a_worker_that_drains_is_not_killed(values: Path) -> None:
    """Kubernetes waits for longer than the worker can take."""
    drain_seconds = float(environment(container(values))["DRAIN_SECONDS"])

    assert pod(values)["terminationGracePeriodSeconds"] > drain_seconds + TAIL_SECONDS


@every_way
def test_nothing_runs_with_more_rights_than_it_needs(values: Path) -> None:
    """No root, no writable image, no capability, no token of Kubernetes'."""
    for each in pods(values):
        (found,) = each["containers"]
        assert found["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert each["securityContext"]["runAsNonRoot"] is True
        assert each["securityContext"]["runAsUser"] == each["securityContext"]["fsGroup"] == 10001
        assert each["automountServiceAccountToken"] is False
        assert "/tmp" in {mount["mountPath"] for mount in found["volumeMounts"]}


@every_way
def test_every_selector_finds_the_workers(values: Path) -> None:
    """And the migration's pod is none of them."""
    labels = the(values, "StatefulSet")["spec"]["template"]["metadata"]["labels"].items()
    migrations = [
        each["spec"]["template"]["metadata"]["labels"].items() for each in of_kind(values, "Job")
    ]
    selectors = [
        the(values, "Service")["spec"]["selector"],
        the(values, "StatefulSet")["spec"]["selector"]["matchLabels"],
        *(
            each["spec"]["selector"]["matchLabels"]
            for kind in ("PodDisruptionBudget", "ServiceMonitor")
            for each in of_kind(values, kind)
        ),
    ]
    for selector in selectors:
        assert selector.items() <= labels
        assert not any(selector.items() <= migration for migration in migrations)
    assert the(values, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels


@pytest.mark.parametrize("values", [MINIMAL, PRODUCTION], ids=["minimal", "production"])
def test_the_schema_is_brought_up_to_date_before_the_workers(values: Path) -> None:
    """By a user who may, if there is one, and whose URL the workers never see."""
    job = the(values, "Job")
    (found,) = job["spec"]["template"]["spec"]["containers"]

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert found["args"] == ["migrate"]
    assert found["image"] == container(values)["image"]
    assert "MIGRATIONS_DATABASE_URL" not in yaml.safe_dump(pod(values))
    assert ("MIGRATIONS_DATABASE_URL" in yaml.safe_dump(job)) is (values == PRODUCTION)


def test_workers_are_spread_over_zones_and_machines() -> None:
    """Unless the values say otherwise."""
    found = [each["topologyKey"] for each in pod(MINIMAL)["topologySpreadConstraints"]]
    own = pod(PRODUCTION)["topologySpreadConstraints"]

    assert found == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert [each["whenUnsatisfiable"] for each in own] == ["DoNotSchedule"]


def test_disruptions_take_one_worker_at_a_time() -> None:
    """Its sessions have to find room on the others."""
    assert the(MINIMAL, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_strangers_reach_nothing() -> None:
    """Only who monitors reads the one port, and nobody where nobody is named."""
    (rule,) = the(MINIMAL, "NetworkPolicy")["spec"]["ingress"]

    assert [each["port"] for each in rule["ports"]] == [container(MINIMAL)["ports"][0]["name"]]
    assert rule["from"]
    assert the(SMALL, "NetworkPolicy")["spec"]["ingress"] == []


def test_metrics_are_read_where_they_are() -> None:
    """At the worker's own path, by the service's port, under the worker's name."""
    (endpoint,) = the(PRODUCTION, "ServiceMonitor")["spec"]["endpoints"]

    assert endpoint["path"] in PATHS
    assert endpoint["path"] == "/metrics"
    assert endpoint["port"] == the(PRODUCTION, "Service")["spec"]["ports"][0]["name"]
    assert {"targetLabel": "job", "replacement": "gateway-worker"} in endpoint["relabelings"]
    assert of_kind(MINIMAL, "ServiceMonitor") == []


def test_rules_come_as_they_are() -> None:
    """Labels that Prometheus fills in are none that Helm does."""
    files = sorted((CHECKOUT / "deploy/prometheus/rules").glob("*.yaml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    rendered = [rule["spec"]["groups"] for rule in of_kind(PRODUCTION, "PrometheusRule")]

    assert rendered == ([groups] if groups else [])
    assert of_kind(MINIMAL, "PrometheusRule") == []


def test_workers_are_added_by_sessions_and_never_all_taken_away() -> None:
    """One at a time, and back only after a long while."""
    spec = the(PRODUCTION, "ScaledObject")["spec"]
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    (trigger,) = spec["triggers"]
    exported = {family.name for family in make_metrics(versions={}).registry.collect()}

    assert spec["minReplicaCount"] >= 1
    assert spec["scaleTargetRef"]["name"] == the(PRODUCTION, "StatefulSet")["metadata"]["name"]
    assert "replicas" not in the(PRODUCTION, "StatefulSet")["spec"]
    for direction in ("scaleUp", "scaleDown"):
        assert [each["value"] for each in behavior[direction]["policies"]] == [1]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 1800
    assert trigger["metadata"]["threshold"] == "80.00"  # of 100 places on each
    for metric in (
        "gateway_capacity_sessions",
        "gateway_fleet_free_slots",
        "gateway_unassigned_waiting",
    ):
        assert metric in exported
        assert (
            f'{metric}{{job="gateway-worker", namespace="messaging"}}'
            in (trigger["metadata"]["query"])
        )


def test_they_can_be_added_by_memory_instead() -> None:
    """Without Prometheus and without KEDA."""
    spec = the(SMALL, "HorizontalPodAutoscaler")["spec"]

    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 3)
    assert of_kind(SMALL, "ScaledObject") == []
    assert the(MINIMAL, "StatefulSet")["spec"]["replicas"] == 2
    assert of_kind(MINIMAL, "HorizontalPodAutoscaler") == []


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("settings.NO_SUCH_SETTING=1", "NO_SUCH_SETTING"),
        ("settings.AMQP_URL=amqp://u:p@h", "AMQP_URL"),
        ("settings.DRAIN_SECONDS=5", "DRAIN_SECONDS"),
        ("terminationMarginSeconds=10", "terminationMarginSeconds"),
        ("autoscaling.minReplicas=0", "minReplicas"),
        ("secrets.name=", "secrets.name"),
        ("replica=3", "replica"),
    ],
)
def test_values_that_would_do_harm_are_refused(wrong: str, named: str) -> None:
    """Before anything reaches the cluster, and by name."""
    with pytest.raises(chart.ChartError, match=named):
        chart.template(MINIMAL, "--set", wrong)
