"""`./dev` itself, as far as it goes without installing anything."""

import shutil
import subprocess
from pathlib import Path

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


def test_every_documented_command_exists() -> None:
    """The help names the commands that the script has, and no other."""
    text = DEV.read_text()
    usage = text.partition("<<'TEXT'\n")[2].partition("\nTEXT\n")[0]
    documented = {
        line.split()[0] for line in usage.splitlines() if line.startswith("  ") and line.strip()
    }
    cases = text.partition("case $command in")[2]

    assert documented
    for name in documented:
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
    assert result.stderr.split()[-2:] == ["ffmpeg", "rabbitmq-server"]
    assert not (checkout / ".venv").exists()
