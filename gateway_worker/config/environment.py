"""Reads what is set: the process's environment, then `.env`, then a directory with secrets.

What an earlier one has is not read from a later one. An empty value counts as not set, because
compose files and charts hand over empty strings for what nobody has given.
"""

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values
from pydantic import create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway_worker.config.variables import BY_NAME, REMOVED

ENV_FILE: Final = ".env"
_ENCODING: Final = "utf-8-sig"
"""With or without the mark that editors put before the first name."""
_MARK: Final = "\ufeff"
SECRETS_DIR: Final = "SECRETS_DIR"
"""Names a directory with one file per variable, as orchestrators mount secrets."""

_PREFIXES: Final = tuple({f"{name.partition('_')[0]}_" for name in BY_NAME if "_" in name})
# What Kubernetes adds for every service in the namespace: REDIS_SERVICE_HOST, REDIS_PORT_6379_TCP.
_SERVICE_LINK: Final = re.compile(r".*_(SERVICE_(HOST|PORT.*)|PORT(_\d+_(TCP|UDP)(_.*)?)?)")

_CLOSE: Final = 0.8
_VERY_CLOSE: Final = 0.9


class _Sources(BaseSettings):
    model_config = SettingsConfigDict(case_sensitive=True, extra="ignore", frozen=True)


def read_environment() -> dict[str, str]:
    """Return the raw text of every variable that is set."""
    fields: dict[str, Any] = dict.fromkeys([*BY_NAME, *REMOVED], (str | None, None))
    sources = create_model("Sources", __base__=_Sources, **fields)
    directory = os.environ.get(SECRETS_DIR)
    found = sources(
        _env_file=ENV_FILE,
        _env_file_encoding=_ENCODING,
        _secrets_dir=directory if directory and Path(directory).is_dir() else None,
    )
    return known(found.model_dump())


def unreadable_file() -> str | None:
    """Say why the `.env` file cannot be read; None if it can, or if there is none."""
    path = Path(ENV_FILE)
    return _unreadable(path) if path.is_file() else None


def unreadable_secrets() -> dict[str, str]:
    """Return which files in the directory of secrets cannot be read, and why.

    An orchestrator that does not find a file puts a directory into its place.
    """
    directory = os.environ.get(SECRETS_DIR)
    if not directory or not Path(directory).is_dir():
        return {}
    if not os.access(directory, os.R_OK | os.X_OK):
        return {SECRETS_DIR: f"{directory} cannot be read"}
    found = {name: _unreadable(Path(directory, name)) for name in _there(directory)}
    return {name: f"its file {text}" for name, text in found.items() if text is not None}


def _there(directory: str) -> list[str]:
    """Return the names of settings that have something in a directory, even if it leads nowhere."""
    return [name for name in (*BY_NAME, *REMOVED) if os.path.lexists(Path(directory, name))]


def _unreadable(path: Path) -> str | None:
    try:
        text = path.read_text(_ENCODING)
    except UnicodeDecodeError:
        return "is no UTF-8 text (an editor may have saved it as UTF-16): save it as UTF-8"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if "\0" in text:
        return "is no UTF-8 text (it has zero bytes in it): save it as UTF-8"
    return None


def names_in_file() -> tuple[str, ...]:
    """Return the names that the `.env` file sets."""
    path = Path(ENV_FILE)
    return tuple(dotenv_values(path, encoding=_ENCODING)) if path.is_file() else ()


def names_in_directory() -> tuple[str, ...]:
    """Return the names of the files in the directory of secrets."""
    directory = os.environ.get(SECRETS_DIR)
    if not directory or not Path(directory).is_dir():
        return ()
    return tuple(path.name for path in Path(directory).iterdir())


def known(environ: Mapping[str, str | None]) -> dict[str, str]:
    """Keep the worker's variables that have a value, without space or an editor's mark around it.

    Those that an earlier release had are among them.
    """
    names = (*BY_NAME, *REMOVED)
    given = {name: (environ.get(name) or "").removeprefix(_MARK).strip() for name in names}
    return {name: text for name, text in given.items() if text}


def misspelt(names: Iterable[str], *, given: Iterable[str]) -> dict[str, str]:
    """Return names that look like one of ours and are none, with the one that may be meant.

    Only names close to one of ours: the environment has many that are none of our business.

    Args:
        names: All names in the environment.
        given: Those of ours that are set; nobody misspells what is there.
    """
    missing = BY_NAME.keys() - set(given)
    result = {}
    for name in names:
        if _is_ours(name) or not name.startswith(_PREFIXES) or _SERVICE_LINK.fullmatch(name):
            continue
        if close := difflib.get_close_matches(name, sorted(missing), n=1, cutoff=_CLOSE):
            result[name] = close[0]
    return result


def misspelt_in_file(names: Iterable[str], *, given: Iterable[str]) -> dict[str, str]:
    """Return names in a file that look like one of ours and are none, with what may be meant.

    The file is written for us, so more of it is taken for a mistake: other capitals, a wrong prefix
    and a second spelling of what is set. Still only close names, for compose reads the same file.

    Args:
        names: All names in the file.
        given: Those of ours that are set.
    """
    result = misspelt(names, given=given)
    for name in names:
        if name in result or _is_ours(name):
            continue
        if name.upper() in BY_NAME:
            result[name] = name.upper()
        elif close := difflib.get_close_matches(name, sorted(BY_NAME), n=1, cutoff=_VERY_CLOSE):
            result[name] = close[0]
    return result


def _is_ours(name: str) -> bool:
    return name in BY_NAME or name in REMOVED
