"""compose.yaml: what it starts is the product as it is."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway_worker.config.settings import Settings
from gateway_worker.config.variables import BY_NAME
from gateway_worker.devkit.deploy.tools import CHECKOUT
from gateway_worker.devkit.deploy.validate import PROFILES
from gateway_worker.runtime.budget import TAIL_SECONDS
from gateway_worker.sandbox.control.models import Ready

COMPOSE = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: each for name, each in SERVICES.items() if each["image"] == "gateway-worker:local"}
WORKERS = ("worker", "sandbox-worker")


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_variable_is_one_of_the_workers(name: str) -> None:
    """A name that the worker does not know would do nothing."""
    assert OURS[name]["environment"].keys() <= BY_NAME.keys()


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_containers_can_change_nothing_but_their_volume(name: str) -> None:
    """As in Kubernetes."""
    assert OURS[name]["read_only"] is True
    assert OURS[name]["cap_drop"] == ["ALL"]
    assert OURS[name]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_that_drains_is_not_killed(name: str) -> None:
    """Docker waits for longer than the worker can take."""
    grace = re.fullmatch(r"(\d+)s", OURS[name]["stop_grace_period"])

    assert grace is not None
    assert int(grace[1]) > Settings.model_fields["drain_seconds"].default + TAIL_SECONDS


@pytest.mark.parametrize("name", WORKERS)
def test_a_workers_data_outlives_its_container(name: str) -> None:
    """In a volume of its own, and under a name that stays."""
    volumes = [each.split(":") for each in OURS[name]["volumes"]]
    data = [source for source, target, *_ in volumes if target == "/var/lib/gateway-worker"]

    assert data == [name]
    assert name in COMPOSE["volumes"]
    assert "hostname" in OURS[name] or "WORKER_ID" in OURS[name]["environment"]


def test_the_profiles_are_those_that_are_checked() -> None:
    """And the services that all need belong to none."""
    used = {profile for each in SERVICES.values() for profile in each.get("profiles", [])}
    always = {name for name, each in SERVICES.items() if "profiles" not in each}

    assert used == set(PROFILES)
    assert always == {"rabbitmq", "postgres", "redis", "s3"}


def test_every_port_is_on_loopback() -> None:
    """The passwords are known to everybody."""
    ports = [port for each in SERVICES.values() for port in each.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_what_is_mounted_from_the_checkout_is_there() -> None:
    """Docker would make an empty directory of what is missing, and say nothing."""
    sources = [
        volume.split(":")[0]
        for each in SERVICES.values()
        for volume in each.get("volumes", [])
        if volume.startswith("./")
    ]

    assert [path for path in sources if not (CHECKOUT / path).exists()] == []


def test_the_worker_is_scraped_where_it_listens() -> None:
    """By its service's name, at the port of the settings."""
    scraped = yaml.safe_load((CHECKOUT / "deploy/compose/prometheus.yaml").read_text())
    jobs = {each["job_name"]: each["static_configs"] for each in scraped["scrape_configs"]}
    (target,) = jobs["gateway-worker"][0]["targets"]

    assert target == "worker:8080"
    assert SERVICES["worker"]["ports"] == ["127.0.0.1:8080:8080"]


def test_the_sandboxes_settings_reach_its_worker(tmp_path: Path) -> None:
    """Read from its ready file, with the certificate at the place where it is mounted."""
    ready = Ready(
        proxy_url="http://127.0.0.1:5000",
        ca_file="/var/lib/gateway-worker/ca.pem",
        root_key="ab" * 32,
        control_url="http://127.0.0.1:8700",
    )
    (tmp_path / "ready.json").write_text(ready.model_dump_json())
    program = (
        "import json, runpy, sys, pathlib;"
        "found = runpy.run_path(sys.argv[1])['settings'](pathlib.Path(sys.argv[2]));"
        "print(json.dumps(found))"
    )
    script = CHECKOUT / "deploy/compose/on_sandbox.py"
    done = subprocess.run(
        [sys.executable, "-c", program, str(script), str(tmp_path / "ready.json")],
        capture_output=True,
        text=True,
        check=True,
    )

    found = json.loads(done.stdout)
    assert found == {
        "SANDBOX_PROXY_URL": ready.proxy_url,
        "SANDBOX_CA_FILE": str(tmp_path / "ca.pem"),
        "SANDBOX_ROOT_KEY": ready.root_key,
    }
    assert found.keys() <= BY_NAME.keys()
