"""Python environments beside the developer's own, from hashed locks."""

import hashlib
import shutil
import subprocess
import venv
from pathlib import Path


class ToolError(Exception):
    """Something is missing, or could not be installed; the text says what to do."""


def is_current(installed: Path, lock: Path) -> bool:
    """Tell whether something is there, and was signed as made of this lock as it is now."""
    mark = _mark(installed)
    return installed.exists() and mark.is_file() and mark.read_text() == _digest(lock)


def sign(installed: Path, lock: Path) -> None:
    """Note beside something of which lock it was made."""
    _mark(installed).write_text(_digest(lock))


def ensure_environment(directory: Path, lock: Path) -> None:
    """Make an environment with what a lock names, unless it is there. Raises `ToolError`."""
    if not is_current(directory, lock):
        build_environment(directory, lock)
        sign(directory, lock)


def build_environment(directory: Path, lock: Path) -> Path:
    """Make an environment with what a lock names, in place of one that may be there.

    Returns the interpreter. Raises `ToolError`.
    """
    shutil.rmtree(directory, ignore_errors=True)
    venv.create(directory, with_pip=True)
    python = directory / "bin/python"
    try:
        run_tool("uv", "pip", "sync", "--quiet", "--python", python, lock)
    except ToolError:  # it does not read pip's configuration
        pip = (python, "-m", "pip", "install", "--quiet", "--require-hashes")
        run_tool(*pip, "--requirement", lock)
    return python


def run_tool(*command: str | Path) -> str:
    """Run a program to its end and return what it prints. Raises `ToolError` if it fails."""
    try:
        done = subprocess.run(
            [str(word) for word in command], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise ToolError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        raise ToolError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _mark(installed: Path) -> Path:
    return installed.with_name(f"{installed.name}-built-from")


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()
