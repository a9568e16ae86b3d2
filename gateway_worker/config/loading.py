"""From raw text to checked settings, or to one list of everything that is wrong."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway_worker.config.bounds import too_large
from gateway_worker.config.environment import (
    ENV_FILE,
    SECRETS_DIR,
    known,
    misspelt,
    misspelt_in_file,
    names_in_directory,
    names_in_file,
    read_environment,
    unreadable_file,
    unreadable_secrets,
)
from gateway_worker.config.insecure import Insecure, risks
from gateway_worker.config.settings import Environment, Settings, is_secret
from gateway_worker.config.variables import (
    BY_LOCATION,
    BY_NAME,
    GROUPS,
    REMOVED,
    SANDBOX,
    VARIABLES,
)
from gateway_worker.errors import ConfigurationError

_FILES: Final = ("SANDBOX_CA_FILE", "S3_CA_FILE", "S3_CERT_FILE", "S3_KEY_FILE")
"""Variables that name files."""
_OF_RABBITMQ: Final = frozenset({"cafile", "certfile", "keyfile"})
_OF_POSTGRESQL: Final = frozenset({"sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile"})
_FILES_IN_URLS: Final = {
    "AMQP_OPERATOR_URL": _OF_RABBITMQ,
    "AMQP_URL": _OF_RABBITMQ,
    "DATABASE_URL": _OF_POSTGRESQL,
    "MIGRATIONS_DATABASE_URL": _OF_POSTGRESQL,
    "REDIS_URL": frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"}),
}
"""Parameters of URLs that name files."""
_HIDDEN: Final = "[secret]"
_LONGEST_PATH: Final = 4_095
_LONGEST_NAME: Final = 255
_SHORTEST_SECRET: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One thing that is wrong: which variable, and what about it. Never shows a secret's value."""

    variable: str
    text: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.text}"


class InvalidSettingsError(ConfigurationError):
    """The settings cannot be used; the text lists every problem.

    Args:
        problems: All that was found, sorted by variable.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        super().__init__(f"the settings cannot be used:{lines}")


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Args:
        environ: Read instead of the process's environment, `.env` and the secrets' directory.

    Raises:
        InvalidSettingsError: Something is wrong; it names every problem at once.
    """
    if environ is None:
        _refuse_unreadable()
    names: Iterable[str] = environ if environ is not None else (*os.environ, *names_in_directory())
    given = read_environment() if environ is None else known(environ)
    removed = [name for name in REMOVED if given.pop(name, None) is not None]
    problems = [
        *(Problem(variable=name, text=REMOVED[name]) for name in removed),
        *_misspelt(names, given),
        *(_misspelt_in_file(given) if environ is None else ()),
        *_secrets_directory(os.environ if environ is None else environ),
        *_sandbox(given),
        *_files(given),
        *_named_files(given),
        *_insecure(given),
        *(Problem(variable=name, text=text) for name, text in too_large(given)),
    ]
    try:
        settings = Settings.model_validate(_nested(given))
    except ValidationError as error:
        found = {problem.variable for problem in problems}
        for details in error.errors(include_url=False, include_input=False):
            problems += _problems(details, given, found)
    if problems:
        raise InvalidSettingsError(sorted(set(problems)))
    return settings


def _refuse_unreadable() -> None:
    """Raise InvalidSettingsError for files that cannot be read: what they set is not known."""
    text = unreadable_file()
    unreadable = ({} if text is None else {ENV_FILE: text}) | unreadable_secrets()
    if unreadable:
        raise InvalidSettingsError(
            Problem(variable=name, text=why) for name, why in sorted(unreadable.items())
        )


def _nested(given: Mapping[str, str]) -> dict[str, Any]:
    nested: dict[str, Any] = {group: {} for group in GROUPS}
    for name, text in given.items():
        variable = BY_NAME[name]
        owner = nested[variable.group] if variable.group else nested
        owner[variable.field] = text.lower() if name == "ENVIRONMENT" else text
    return nested


def _misspelt(names: Iterable[str], given: Mapping[str, str]) -> list[Problem]:
    return [
        Problem(variable=name, text=f"there is no such setting; is {meant} meant?")
        for name, meant in misspelt(names, given=given).items()
    ]


def _misspelt_in_file(given: Mapping[str, str]) -> list[Problem]:
    return [
        Problem(
            variable=name, text=f"there is no such setting; is {meant} meant? It is in {ENV_FILE}"
        )
        for name, meant in misspelt_in_file(names_in_file(), given=given).items()
    ]


def _secrets_directory(environ: Mapping[str, str]) -> list[Problem]:
    directory = environ.get(SECRETS_DIR)
    if not directory or Path(directory).is_dir():
        return []
    return [Problem(variable=SECRETS_DIR, text=f"there is no directory {directory}")]


def _sandbox(given: Mapping[str, str]) -> list[Problem]:
    """Check that the sandbox is set as a whole, and not in production."""
    there = [name for name in SANDBOX if name in given]
    if not there:
        return []
    if given.get("ENVIRONMENT", "").lower() == Environment.PRODUCTION:
        text = "must not be set where ENVIRONMENT is production: it replaces WhatsApp"
        return [Problem(variable=name, text=text) for name in there]
    text = f"is not set, but belongs to {' and '.join(there)}"
    return [Problem(variable=name, text=text) for name in SANDBOX if name not in given]


def _insecure(given: Mapping[str, str]) -> list[Problem]:
    """Find what production does not accept and nobody has allowed."""
    if given.get("ENVIRONMENT", "").lower() != Environment.PRODUCTION:
        return []
    allowed = Insecure.known(given.get("ALLOW_INSECURE", ""))
    return [
        Problem(
            variable=risk.variable,
            text=f"{risk.text}; or allow it where ENVIRONMENT is production:"
            f" ALLOW_INSECURE={','.join(sorted({*allowed, risk.kind}))}",
        )
        for risk in risks(given)
        if risk.kind not in allowed
    ]


def _files(given: Mapping[str, str]) -> list[Problem]:
    """Check what would otherwise be found out late, in another process or with a bare OSError."""
    problems = [
        Problem(variable=name, text=text)
        for name in _FILES
        if (path := given.get(name)) and (text := _unreadable(path)) is not None
    ]
    for name in ("LOG_FILE", "DATA_DIR"):
        if path := given.get(name):
            text = _no_path(path) or (_unwritable if name == "LOG_FILE" else _no_directory)(path)
            problems += [] if text is None else [Problem(variable=name, text=text)]
    return problems


def _no_path(path: str) -> str | None:
    """Say why a text can be no path; it may be what was to be in the file, and is not repeated."""
    if len(path.encode()) > _LONGEST_PATH or not path.isprintable():
        return "is no path: the name of a file is wanted, not what is in it"
    if any(len(part.encode()) > _LONGEST_NAME for part in Path(path).parts):
        return "is no path: a name in it is too long"
    return None


def _unwritable(path: str) -> str | None:
    file = Path(path)
    if not file.absolute().parent.is_dir():
        return f"there is no directory {file.absolute().parent}"
    return None if _is_writable_file(file) else f"{file} cannot be written to"


def _no_directory(path: str) -> str | None:
    directory = Path(path)
    if directory.exists() and not directory.is_dir():
        return f"{directory} is no directory"
    return None


def _named_files(given: Mapping[str, str]) -> list[Problem]:
    """Check the certificates that URLs name: a service would seem to be out of reach."""
    problems = []
    for name, parameters in _FILES_IN_URLS.items():
        for parameter, path in _parameters(given.get(name, "")):
            if parameter not in parameters or path == "system":
                continue
            if (text := _unreadable(path)) is not None:
                problems.append(Problem(variable=name, text=f"{parameter}: {text}"))
    return problems


def _unreadable(path: str) -> str | None:
    if (text := _no_path(path)) is not None:
        return text
    if not Path(path).is_file():
        return f"there is no file {path}"
    return None if os.access(path, os.R_OK) else f"{path} cannot be read"


def _parameters(url: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(url).query)
    except ValueError:  # no URL at all, which is told otherwise
        return []


def _is_writable_file(path: Path) -> bool:
    if path.exists():
        return path.is_file() and os.access(path, os.W_OK)
    return os.access(path.absolute().parent, os.W_OK)


def _problems(details: ErrorDetails, given: Mapping[str, str], found: set[str]) -> list[Problem]:
    """Say in an operator's words what the validation has found, unless that is known already."""
    location = tuple(str(part) for part in details["loc"])
    text = _named_by_variables(_wording(details), location[0] if location else "")
    variable = BY_LOCATION.get(location[:2]) or BY_LOCATION.get(location[:1])
    if variable is None:  # a rule between several settings of one group
        names = [name for name in re.findall(r"\b[A-Z0-9_]{3,}\b", text) if name in BY_NAME]
        name = names[0] if names else location[0].upper()
        return [] if found.intersection(names) else [Problem(variable=name, text=text)]
    if variable.name in found:
        return []
    if variable.name == "WORKER_ID" and "WORKER_ID" not in given:
        text = f"is not set, and the machine's name cannot serve as one: it {text}"
    if is_secret(variable):
        text = _without(given.get(variable.name, ""), text)
    return [Problem(variable=variable.name, text=text)]


def _without(secret: str, text: str) -> str:
    """Take a secret out of a text, and those of its parts that are long enough to be one."""
    parts = {secret, *re.split(r"[:/@,?&=]", secret)}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST_SECRET:
            text = text.replace(part, _HIDDEN)
    return text


def _wording(details: ErrorDetails) -> str:
    if details["type"] == "missing":
        return "is not set"
    text = details["msg"].removeprefix("Value error, ")
    text = text.replace("Input should be", "should be")
    return text.replace("String should", "should").replace(
        ", unable to parse string as an integer", ""
    )


def _named_by_variables(text: str, group: str) -> str:
    """Replace the names of fields by those of their variables."""
    for variable in VARIABLES:
        if variable.group == group and "_" in variable.field:
            text = re.sub(rf"\b{variable.field}\b", variable.name, text)
    return text
