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

from pydantic import create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway_worker.config.variables import BY_NAME, REMOVED

ENV_FILE: Final = ".env"
SECRETS_DIR: Final = "SECRETS_DIR"
"""Names a directory with one file per variable, as orchestrators mount secrets."""

_PREFIXES: Final = tuple({f"{name.partition('_')[0]}_" for name in BY_NAME if "_" in name})
# What Kubernetes adds for every service in the namespace: REDIS_SERVICE_HOST, REDIS_PORT_6379_TCP.
_SERVICE_LINK: Final = re.compile(r".*_(SERVICE_(HOST|PORT.*)|PORT(_\d+_(TCP|UDP)(_.*)?)?)")


class _Sources(BaseSettings):
    model_config = SettingsConfigDict(case_sensitive=True, extra="ignore", frozen=True)


def read_environment() -> dict[str, str]:
    """Return the raw text of every variable that is set."""
    fields: dict[str, Any] = dict.fromkeys([*BY_NAME, *REMOVED], (str | None, None))
    sources = create_model("Sources", __base__=_Sources, **fields)
    directory = os.environ.get(SECRETS_DIR)
    found = sources(
        _env_file=ENV_FILE,
        _secrets_dir=directory if directory and Path(directory).is_dir() else None,
    )
    return known(found.model_dump())


def known(environ: Mapping[str, str | None]) -> dict[str, str]:
    """Keep the worker's variables that have a value, without space around it.

    Those that an earlier release had are among them.
    """
    names = (*BY_NAME, *REMOVED)
    return {name: text.strip() for name in names if (text := environ.get(name) or "").strip()}


def misspelt(names: Iterable[str], *, given: Iterable[str]) -> dict[str, str]:
    """Return names that look like one of ours and are none, with the one that may be meant.

    Args:
        names: All names in the environment.
        given: Those of ours that are set; nobody misspells what is there.
    """
    missing = BY_NAME.keys() - set(given)
    result = {}
    for name in names:
        if (
            name in BY_NAME
            or name in REMOVED
            or not name.startswith(_PREFIXES)
            or _SERVICE_LINK.fullmatch(name)
        ):
            continue
        if close := difflib.get_close_matches(name, sorted(missing), n=1, cutoff=0.8):
            result[name] = close[0]
    return result
