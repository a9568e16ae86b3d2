"""Checks everything in `deploy/` and compose.yaml with the formats' own tools (`./dev deploy`).

The kinds that come from operators (ServiceMonitor, ScaledObject, RabbitMQ's) have no schema in
Kubernetes; what the chart writes in them is held by tests.
"""

import json
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from gateway_worker.devkit.deploy import chart, generated
from gateway_worker.devkit.deploy.tools import CHECKOUT, validator

PROFILES: Final = ("worker", "sandbox", "monitoring")
_AGAINST_SCHEMAS: Final = Path(__file__).with_name("against_schemas.py")
_NEW_KUBERNETES: Final = "1.37"
_BUILT_IN: Final = frozenset({"v1", "apps/v1", "batch/v1", "policy/v1", "autoscaling/v2"})
_BUILT_IN_GROUPS: Final = (".k8s.io/v1",)

Check = Callable[[], str]
"""Returns what is wrong; nothing if all is well."""


def main() -> int:
    """Run all checks, print how each has gone; returns the exit code."""
    failed = 0
    for name, check in checks():
        try:
            wrong = check()
        except chart.ChartError as error:
            wrong = str(error)
        print(f"FAIL  {name}\n{wrong}" if wrong else f"ok    {name}")
        failed += bool(wrong)
    print(f"{failed} of the checks failed" if failed else "all checks passed")
    return 1 if failed else 0


def checks() -> Iterator[tuple[str, Check]]:
    """Return every check with its name."""
    yield "Dockerfile (hadolint)", partial(_run, "hadolint", "deploy/docker/Dockerfile")
    for profiles in (*([profile] for profile in PROFILES), PROFILES):
        yield f"compose.yaml ({', '.join(profiles)})", partial(_compose, *profiles)
    yield "values.schema.json, deploy/kubernetes as generated", _generated
    for values in chart.VALUES:
        yield f"chart with {values.name} (helm lint)", partial(_lint, values)
    yield "chart with all of them (kubernetes-validate)", _kubernetes
    yield "SBOM of the image's packages (cyclonedx)", _sbom


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [validator(program), *arguments], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}".strip() or "it failed"


def _compose(*profiles: str) -> str:
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    return _run("docker-compose", "--file", "compose.yaml", *chosen, "config", "--quiet")


def _generated() -> str:
    files = generated.stale()
    hint = "python -m gateway_worker.devkit.deploy generate"
    return f"{', '.join(files)}: run `{hint}`" if files else ""


def _lint(values: Path) -> str:
    chart.lint(values)
    return ""


def _kubernetes() -> str:
    """Check what Kubernetes itself knows, for its oldest version that will do and for a new one."""
    manifests = [
        manifest
        for values in chart.VALUES
        for manifest in chart.manifests(values)
        if _is_built_in(manifest["apiVersion"])
    ]
    program = [
        validator("python"),
        str(_AGAINST_SCHEMAS),
        chart.oldest_kubernetes(),
        _NEW_KUBERNETES,
    ]
    done = subprocess.run(
        program, input=json.dumps(manifests), capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else f"{done.stdout}{done.stderr}"


def _is_built_in(version: str) -> bool:
    return version in _BUILT_IN or version.endswith(_BUILT_IN_GROUPS)


def _sbom() -> str:
    return _run("cyclonedx-py", "requirements", "--validate", "requirements/runtime.txt")
