"""`./dev` itself, as far as it goes without installing anything."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
DEV = CHECKOUT / "dev"


def run(
    *arguments: str, cwd: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the script to its end."""
    return subprocess.run(
        [str(DEV), *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_works_from_any_directory(tmp_path: Path) -> None:
    """The script finds its checkout by itself."""
    result = run("help", cwd=tmp_path)

    assert result.returncode == 0
    assert "usage: ./dev COMMAND" in result.stdout


def test_no_command_prints_help(tmp_path: Path) -> None:
    """A bare `./dev` is a question, not an error."""
    assert run(cwd=tmp_path).stdout == run("help", cwd=tmp_path).stdout


def test_an_unknown_command_is_an_error_with_usage(tmp_path: Path) -> None:
    """A misspelt command does nothing and says what there is."""
    result = run("tset", cwd=tmp_path)

    assert result.returncode == 2
    assert "there is no command 'tset'" in result.stderr
    assert "usage: ./dev COMMAND" in result.stderr


def documented() -> set[str]:
    """Return the commands that the help names."""
    usage = DEV.read_text().partition("<<'TEXT'\n")[2].partition("\nTEXT\n")[0]
    return {line.split()[0] for line in usage.splitlines() if line.startswith("  ")}


def test_every_documented_command_exists() -> None:
    """The help names the commands that the script has, and no other."""
    cases = DEV.read_text().rpartition("case $command in")[2]

    assert documented()
    for name in documented():
        assert f"\n  {name})" in cases or f"\n  {name} |" in cases, name


def test_a_machine_that_lacks_something_is_told_what_to_install(tmp_path: Path) -> None:
    """Without apt, or without root, nothing is installed: the exact command is printed."""
    tools = tmp_path / "bin"  # a machine with a shell and little more
    tools.mkdir()
    for name in (
        "bash",
        "cat",
        "cut",
        "dirname",
        "env",
        "grep",
        "id",
        "ls",
        "readlink",
        "tr",
    ):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    shutil.copy(DEV, checkout)
    shutil.copytree(CHECKOUT / "requirements", checkout / "requirements")
    result = subprocess.run(
        [str(checkout / "dev"), "demo"],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 2
    assert "sudo apt-get update && sudo apt-get install -y" in result.stderr
    assert result.stderr.split()[-1] == "rabbitmq-server"
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        *([name, argument] for name in sorted(documented()) for argument in ("--help", "-h")),
        *(["demo", "--keep", "--help"], ["run", "--sandbox", "--help"], ["help", "chaos"]),
        *(["talk", "scan", "--help"], ["ctl", "send", "--help"], ["test", "tests/unit", "--help"]),
        *(["fresh", "trixie", "--help"], ["services", "up", "--help"]),
    ],
    ids=" ".join,
)
def test_help_of_a_command_only_helps(tmp_path: Path, arguments: list[str]) -> None:
    """On a machine that has nothing it says what the command is for, and leaves nothing there.

    Wherever among the arguments help is asked for.
    """
    script = tmp_path / "checkout/dev"
    script.parent.mkdir()
    shutil.copy(DEV, script)
    result = subprocess.run(
        [script, *arguments],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0
    assert "usage: ./dev" in result.stdout
    assert (arguments[1] if arguments[0] == "help" else arguments[0]) in result.stdout
    assert result.stderr == ""
    assert [path.name for path in script.parent.iterdir()] == ["dev"]


OPTIONS = {
    "demo": ["--keep"],
    "run": ["--sandbox", "--data"],
    "talk": ["publish", "scan"],
    "ctl": ["tail"],
    "sandbox": ["--control-port"],
    "chaos": ["--seed"],
    "rolling": ["--from"],
    "bench": ["--sessions"],
    "fresh": ["bookworm"],
    "services": ["exec"],
    "test": ["pytest"],
}
"""What the help of a command has to tell, beside what the texts name."""


TEXTS = (
    "README.md",
    "contracts/README.md",
    "docs/measurements.md",
    ".github/CONTRIBUTING.md",
)


def named_in_texts() -> dict[str, set[str]]:
    """Return the commands, and their options, that people are told to type."""
    named: dict[str, set[str]] = {}
    for name in TEXTS:
        text = (CHECKOUT / name).read_text()
        for command, rest in re.findall(r"\./dev ([a-z]+)([^`\n#]*)", text):
            named.setdefault(command, set()).update(re.findall(r"--[a-z-]+", rest))
    return named


def test_every_command_that_a_text_names_exists() -> None:
    """Whoever reads about it may type it."""
    assert {"demo", "test", "run", "chaos"} <= named_in_texts().keys() <= documented()


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_options_are_told_where_the_environment_is(tmp_path: Path, name: str) -> None:
    """Those that the texts name too; nothing is started for it."""
    result = run(name, "--help", cwd=tmp_path)

    assert result.returncode == 0
    told = {*OPTIONS[name], *named_in_texts().get(name, ())}
    assert [option for option in sorted(told) if option not in result.stdout] == []
    assert result.stderr == ""


def test_no_text_names_an_option_of_another_command() -> None:
    """All that have options are above."""
    named = named_in_texts()
    assert [name for name in named if named[name] and name not in OPTIONS] == []
