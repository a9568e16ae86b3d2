"""A real Prometheus with the rules that are shipped, and promtool."""

import asyncio
import json
import re
import shutil
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

from gateway_worker.devkit.services.loopback import LOOPBACK, PortBook
from gateway_worker.devkit.services.process import Child, Command, base_environment
from tests.support.eventually import eventually

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
RULES: Final = DEPLOY / "prometheus" / "rules"
JOB: Final = "gateway-worker"
PATIENCE_SECONDS: Final = 90.0
"""What an alert may take to fire, on a machine that has much else to do."""
_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0
_THRESHOLD: Final = re.compile(r"(>=?) [0-9.]+")


def program(name: str) -> str:
    """Return where a program of Prometheus is; `./dev test` installs it."""
    found = shutil.which(name)
    assert found is not None, f"{name} is not here: apt-get install prometheus, or ./dev setup"
    return found


def rules_in(path: Path) -> list[dict[str, Any]]:
    """Return the rules of a file."""
    groups = yaml.safe_load(path.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """Return the alerts that are shipped, by their names."""
    return {rule["alert"]: rule for rule in rules_in(RULES / "alerts.yaml")}


def impatient(thresholds: Mapping[str, Sequence[float]] | None = None) -> dict[str, Any]:
    """Return the shipped rules with alerts that fire at once.

    Args:
        thresholds: For some alerts what stands in place of the numbers that they compare with.
    """
    lower = dict(thresholds or {})
    rules = []
    for rule in (*rules_in(RULES / "recording.yaml"), *alerts().values()):
        quick = {name: value for name, value in rule.items() if name != "for"}
        if (numbers := lower.pop(rule.get("alert", ""), None)) is not None:
            quick["expr"] = _with(numbers, rule["expr"])
        rules.append(quick)
    assert not lower, f"there are no such alerts: {sorted(lower)}"
    return {"groups": [{"name": "impatient", "rules": rules}]}


def _with(numbers: Sequence[float], expr: str) -> str:
    """Put other numbers in place of those that an expression compares with, in order."""
    assert len(_THRESHOLD.findall(expr)) == len(numbers), expr
    remaining = iter(numbers)
    return _THRESHOLD.sub(lambda found: f"{found[1]} {next(remaining):g}", expr)


class Prometheus:
    """Asks a Prometheus that runs.

    Args:
        url: Where it is.
        session: For the questions.
    """

    def __init__(self, *, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            async with self._session.get(f"{self._url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the series that an expression yields now; a wrong one fails the test."""
        found = await self._get("query", query=expr)
        assert found["resultType"] in {"vector", "scalar"}, found
        result = found["result"]
        return result if found["resultType"] == "vector" else [{"value": result}]

    async def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        found = (await self._get("alerts"))["alerts"]
        return {one["labels"]["alertname"] for one in found if one["state"] == "firing"}

    async def fires(self, *names: str) -> None:
        """Wait until alerts fire."""

        async def firing() -> bool:
            assert set(names) <= await self.firing()
            return True

        await eventually(firing, timeout_seconds=PATIENCE_SECONDS, reason=f"{names} fire")

    async def scrapes(self) -> float:
        """Return how many scrapes of workers have been stored within the last minutes."""
        found = await self.query(f'sum(count_over_time(up{{job="{JOB}"}}[10m]))')
        return float(found[0]["value"][1]) if found else 0.0

    async def _get(self, what: str, **parameters: str) -> Any:
        async with self._session.get(f"{self._url}/api/v1/{what}", params=parameters) as answer:
            body = await answer.json()
        assert body["status"] == "success", body
        return body["data"]


@asynccontextmanager
async def prometheus(
    directory: Path, *, targets: Sequence[str], rules: Mapping[str, Any]
) -> AsyncIterator[Prometheus]:
    """Run Prometheus on loopback, looking at these workers every second.

    Args:
        directory: For its files.
        targets: Addresses of workers' probes, with ports.
        rules: As a file of rules has them.
    """
    configuration = _written(directory, targets=targets, rules=rules)
    ports = PortBook()
    address = f"{LOOPBACK}:{ports.take(['prometheus'], wished={})['prometheus']}"
    child = Child(
        name="prometheus",
        command=Command(
            arguments=[
                program("prometheus"),
                f"--config.file={configuration}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address={address}",
                "--log.level=warn",
            ],
            environment=base_environment(),
            directory=directory,
            log_path=directory / "prometheus.log",
        ),
    )
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        found = Prometheus(url=f"http://{address}", session=session)
        child.spawn()
        try:
            await child.ready(found.is_ready, timeout_seconds=_START_SECONDS)
            yield found
        finally:
            await child.stop(with_signal=signal.SIGTERM, timeout_seconds=_STOP_SECONDS)
            ports.close()


def _written(directory: Path, *, targets: Sequence[str], rules: Mapping[str, Any]) -> Path:
    """Write the configuration and return where it is; JSON is YAML, too."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "rules.yaml").write_text(json.dumps(rules))
    config = {
        "global": {
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s",
        },
        "rule_files": [str(directory / "rules.yaml")],
        "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": list(targets)}]}],
    }
    path = directory / "prometheus.yaml"
    path.write_text(json.dumps(config))
    return path


async def promtool(*arguments: str) -> str:
    """Run promtool and return its output; an exit code but 0 fails the test."""
    process = await asyncio.create_subprocess_exec(
        program("promtool"),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()
