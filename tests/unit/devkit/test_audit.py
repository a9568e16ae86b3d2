"""Every lock is audited, and what is accepted has a reason."""

import re
import tomllib
from pathlib import Path

from gateway_worker.devkit import audit

CHECKOUT = Path(__file__).parents[3]


def test_every_lock_is_audited_by_its_hashes() -> None:
    """Those of the worker, and of whatever builds and checks it; nothing is resolved anew."""
    names = {path.name for path in audit.locks()}
    assert {"runtime.txt", "dev.txt", "deploy.txt", "audit.txt"} <= names
    for lock in audit.locks():
        words = audit.command(lock)
        assert words[-2:] == ["--requirement", str(lock)]
        assert {"--strict", "--disable-pip", "--require-hashes"} <= {*words}


def test_what_is_accepted_has_a_reason() -> None:
    """And is named by an id."""
    for name, reason in audit.ACCEPTED.items():
        assert re.fullmatch(r"(PYSEC|GHSA|CVE)-[\w-]+", name)
        assert len(reason.split()) >= 3


def test_the_tool_is_locked_as_it_is_required() -> None:
    """In an environment of its own, which `./dev lock` resolves."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    (tool,) = project["optional-dependencies"]["audit"]
    name = re.split(r"[<>=]", tool)[0]
    assert f"\n{name}==" in (CHECKOUT / "requirements/audit.txt").read_text()
    assert f'audit = ["{tool}"]' in (CHECKOUT / "pyproject.toml").read_text()
