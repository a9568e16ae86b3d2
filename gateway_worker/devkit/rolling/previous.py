"""The code of an earlier release, with an environment of its own."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway_worker.devkit.environments import ToolError, build_environment, run_tool

CHECKOUT: Final = Path(__file__).parents[3]
PLACE: Final = CHECKOUT / ".data/rolling"
BEFORE_THE_FIRST_RELEASE: Final = "377da6a4b072694db6992b6d465002eb5c21f409"
"""Stands for the previous release while none is tagged: the last commit with the schema 0020."""
_MARK: Final = "complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Code that workers can run.

    Attributes:
        name: The tag, or what else it was asked for by.
        commit: Its commit's hash.
        python: An interpreter that runs it and nothing of this checkout.
    """

    name: str
    commit: str
    python: Path


def earlier_release(name: str | None = None) -> Release:
    """Check a release out, unless that was done before.

    Args:
        name: A tag or a commit; by default the newest tag `v…` before this commit, and while there
            is none `BEFORE_THE_FIRST_RELEASE`.

    Raises:
        ToolError: There is no such commit here, or its requirements cannot be installed.
    """
    name = name or _newest_tag() or BEFORE_THE_FIRST_RELEASE
    commit = _git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()
    place = PLACE / commit
    if not (place / _MARK).is_file():
        shutil.rmtree(place, ignore_errors=True)
        _unpack(commit, place)
        _link_sources(build_environment(place / ".venv", place / "requirements/runtime.txt"), place)
        (place / _MARK).touch()
    python = place / ".venv/bin/python"
    _check_whose_code(python, place)
    return Release(name=name, commit=commit, python=python)


def _newest_tag() -> str | None:
    tags = _git(
        *("tag", "--list", "v*", "--merged", "HEAD", "--no-contains", "HEAD"),
        "--sort=-version:refname",
    )
    return next(iter(tags.split()), None)


def _unpack(commit: str, place: Path) -> None:
    place.mkdir(parents=True)
    packed = place.with_suffix(".tar")
    _git("archive", "--format=tar", f"--output={packed}", commit)
    run_tool("tar", "--extract", f"--file={packed}", f"--directory={place}")
    packed.unlink()


def _link_sources(python: Path, place: Path) -> None:
    """Have the interpreter import from there, also where it ignores the environment."""
    packages = run_tool(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))")
    link = Path(packages.strip()) / "gateway-worker-checkout.pth"
    link.write_text(f"{place}\n{place / 'contracts'}\n")


def _check_whose_code(python: Path, place: Path) -> None:
    """Make sure that an update is none from this code to itself."""
    for module in ("gateway_worker", "gateway_contracts"):
        found = run_tool(python, "-I", "-c", f"import {module}; print({module}.__file__)").strip()
        if not Path(found).is_relative_to(place):
            raise ToolError(f"{python} imports {module} from {found}, not from {place}")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(CHECKOUT), *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip() or "there is no such commit in this clone"
        raise ToolError(f"git {arguments[0]}: {said} (a shallow clone has no earlier release)")
    return done.stdout
