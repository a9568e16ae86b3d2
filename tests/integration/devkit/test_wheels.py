"""What a backend team installs: the pytest plugin's example, run outside the repository."""

import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
import venv
import zipfile
from pathlib import Path

import pytest

import gateway_worker.devkit.pytest_plugin as plugin
from gateway_worker.devkit.services import ObjectStore, Services
from tests.support.services import SharedServices, random_name

CHECKOUT = Path(__file__).parents[3]
BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"


def wheel_of(project: Path, directory: Path) -> Path:
    """Build a project's wheel from a copy of it; building writes into the sources."""
    copy = directory / "sources"
    ignored = shutil.ignore_patterns(".*", "tests", "build", "*.egg-info", "__pycache__")
    shutil.copytree(project, copy, ignore=ignored)
    subprocess.run([sys.executable, "-c", BUILD, str(directory)], cwd=copy, check=True)
    (wheel,) = directory.glob("*.whl")
    return wheel


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a Python with both wheels, and with this one's packages instead of downloads."""
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = environment / "lib" / version / "site-packages"
    for name, project in (("worker", CHECKOUT), ("contracts", CHECKOUT / "contracts")):
        (tmp_path / name).mkdir()
        zipfile.ZipFile(wheel_of(project, tmp_path / name)).extractall(packages)
    # What a path file adds is no site: the path file of the checkout in there has no effect
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin/python"


@pytest.fixture
def environment(
    shared: SharedServices, services: Services, database_url: str, s3: ObjectStore
) -> dict[str, str]:
    """Return an environment that names services, with a virtual host for one gateway."""
    given = Services(
        amqp_url=shared.add_vhost(random_name()),
        database_url=database_url,
        redis_url=services.redis_url,
        s3=s3,
    )
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**inherited, **given.environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def examples() -> list[str]:
    """Return the plugin's own example: the line for the conftest, and the test."""
    lines = (plugin.__doc__ or "").splitlines()
    text = "\n".join(line if line.startswith("    ") or not line else "---" for line in lines)
    return [textwrap.dedent(block).strip() for block in text.split("---") if block.strip()]


@pytest.mark.timeout(180)
def test_the_plugins_example_runs_outside_the_repository(
    installed: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """With no plugin but this one, and nothing of the checkout."""
    conftest, test = examples()
    project = tmp_path / "project"
    project.mkdir()
    (project / "conftest.py").write_text(conftest)
    (project / "test_shop.py").write_text(test)
    where = (
        "import gateway_worker, gateway_contracts as c; print(gateway_worker.__file__, c.__file__)"
    )
    found = subprocess.run(
        [installed, "-c", where], cwd=project, env=environment, check=True, capture_output=True
    )
    assert str(CHECKOUT) not in found.stdout.decode()

    result = subprocess.run(
        [installed, "-m", "pytest", "-q", "-W", "error"],
        cwd=project,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )

    assert "1 passed" in result.stdout, result.stdout + result.stderr
    assert result.returncode == 0


def test_the_readme_shows_the_same_example() -> None:
    """There is one, so that it is tested wherever it stands."""
    readme = (CHECKOUT / "README.md").read_text()
    for example in examples():
        assert f"```python\n{example}\n```" in readme
