"""The check that keeps machine paths and package indexes out of the repository."""

import subprocess
from pathlib import Path

import pytest

from gateway_worker.devkit.tree import findings_in


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return an empty git checkout."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("cd " + "/wo" + "rk/main", "machine path"),
        ("open('" + "/ro" + "ot/notes')", "machine path"),
        ("see " + "/ho" + "me/ada/src", "machine path"),
        ("https://py" + "pi.org/simple", "package index"),
        ("--extra-index" + "-url x", "package index"),
        ("https://registry." + "npmjs.org/", "package index"),
        ("UV_DEFAULT" + "_INDEX=x", "package index"),
    ],
)
def test_what_does_not_belong_is_found(checkout: Path, line: str, what: str) -> None:
    """A file that git would add is searched, and the finding names the line."""
    (checkout / "notes.md").write_text(f"fine\n{line}\n")

    assert [(2, what)] == [(found.line, found.what) for found in findings_in(checkout)]


@pytest.mark.parametrize(
    "line", ["path/work/x", "a worker", "tests/root/x", "https://example.org/work/", "framework/"]
)
def test_words_that_only_look_alike_are_fine(checkout: Path, line: str) -> None:
    """Relative paths, URLs and words do not count."""
    (checkout / "notes.md").write_text(line)

    assert list(findings_in(checkout)) == []


def test_ignored_files_are_not_searched(checkout: Path) -> None:
    """What git ignores stays on the machine anyway."""
    (checkout / ".gitignore").write_text("*.log\n")
    (checkout / "own.log").write_text("/wo" + "rk/main")

    assert list(findings_in(checkout)) == []
