"""Everything that can be set, composed of what each package wants to have set."""

import re
import socket
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic.fields import FieldInfo

from gateway_contracts.model import WorkerId
from gateway_worker.broker.settings import BrokerSettings
from gateway_worker.commands.features import DEFAULT, Feature
from gateway_worker.commands.pacing.settings import PacingSettings
from gateway_worker.config.insecure import LOOKED_AT, Insecure, Risk, risks
from gateway_worker.config.variables import BY_NAME, VARIABLES, Variable
from gateway_worker.health.settings import HealthSettings
from gateway_worker.log.settings import LogSettings
from gateway_worker.media.settings import MediaSettings
from gateway_worker.storage.cache.settings import CacheSettings
from gateway_worker.storage.db.settings import DatabaseSettings
from gateway_worker.storage.db.url import DatabaseUrl
from gateway_worker.storage.objects.settings import ObjectsSettings
from gateway_worker.tenants.settings import TenantSettings
from gateway_worker.tracing.settings import TracingSettings
from gateway_worker.whatsapp.settings import WhatsAppSettings

_HOST = r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?"
_HOSTS: Final = re.compile(f"{_HOST}(,{_HOST})*")


class Environment(StrEnum):
    """What kind of deployment this is; a closed set, so that `prod` is an error and no licence."""

    DEVELOPMENT = "development"
    TEST = "test"
    STAGING = "staging"
    PRODUCTION = "production"


def _machine_name() -> str:
    """Return this machine's name up to the first dot."""
    return socket.gethostname().partition(".")[0]


class Settings(BaseModel):
    """Settings of one worker. All times are in seconds.

    Attributes:
        worker_id: Name of the worker: part of its queue's name, stable over restarts. The
            machine's name (a pod's name) if none is given.
        environment: `production` refuses the sandbox, and connections that others can read or fake.
        allow_insecure: What `production` accepts all the same.
        features: What is switched on; all but `interactive` if nothing is said.
        data_dir: Device stores and spools, one directory per session; locked, and this worker's.
        capacity: Sessions that the worker holds at most.
        heartbeat_seconds: Time between two heartbeats.
        lease_seconds: After how long without a word from it a worker's sessions are taken over.
            Cut off from the database for three quarters of that, it stops its hosts.
        stranded_seconds: How long after the end of its worker's lease a session that nobody has
            taken over counts as one that nobody can run: it is counted, announced, and its commands
            are answered.
        reachout_hold_seconds: How long a session begins no new chats after WhatsApp has refused one
            for the account; twice as long after each further refusal, a day at most.
        drain_seconds: How long the worker may take to hand its sessions over and to finish the
            commands in work when it stops.
        event_retention_seconds: How long published events stay in the outbox table.
        bulks_at_once: How many rows of bulks and scheduled sends are sent at the same time.
        command_retention_days: How long commands that have ended are known, and so recognised if
            they come again.
        message_retention_days: How long messages stay in the history.
        receipt_retention_days: How long their receipts do, and for how long it is known which
            calls, changes of groups and contacts, and pages of histories were told.
        count_retention_days: How long what was counted of each day is kept.
        undelivered_seconds: After how long a message that nobody has confirmed is told as failed;
            0: never.
        session_health_seconds: How often it is looked at how a session does; 0: never.
        auto_migrate: Bring the database's schema up to date at the start instead of refusing.
        migrations_url: Used for migrations instead of the database's URL, whose user may not change
            the schema, or which leads through a pooler.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    worker_id: WorkerId = Field(default_factory=_machine_name, validate_default=True)
    environment: Environment = Environment.DEVELOPMENT
    allow_insecure: frozenset[Insecure] = frozenset()
    features: frozenset[Feature] = DEFAULT
    data_dir: Path = Path("data")
    capacity: int = Field(50, ge=0, le=5000)
    heartbeat_seconds: float = Field(10.0, gt=0)
    lease_seconds: float = Field(15.0, ge=2, le=300)
    stranded_seconds: float = Field(30.0, ge=0)
    reachout_hold_seconds: float = Field(900.0, ge=1, le=86_400)
    drain_seconds: float = Field(25.0, gt=0)
    event_retention_seconds: float = Field(86_400.0, gt=0)
    bulks_at_once: int = Field(4, ge=1, le=1_000)
    command_retention_days: float = Field(30.0, gt=0)
    message_retention_days: float = Field(90.0, gt=0)
    receipt_retention_days: float = Field(90.0, gt=0)
    count_retention_days: float = Field(400.0, gt=0)
    undelivered_seconds: float = Field(0.0, ge=0, le=2_592_000)
    session_health_seconds: float = Field(300.0, ge=0, le=3_600)
    auto_migrate: bool = False
    migrations_url: SecretStr | None = None
    log: LogSettings
    tracing: TracingSettings
    health: HealthSettings
    broker: BrokerSettings
    database: DatabaseSettings
    cache: CacheSettings
    objects: ObjectsSettings
    media: MediaSettings
    pacing: PacingSettings
    tenants: TenantSettings
    whatsapp: WhatsAppSettings

    @field_validator("allow_insecure", mode="before")
    @classmethod
    def _are_known(cls, names: object) -> object:
        return Insecure.parse(names) if isinstance(names, str) else names

    @field_validator("features", mode="before")
    @classmethod
    def _are_features(cls, names: object) -> object:
        return Feature.parse(names) if isinstance(names, str) else names

    @field_validator("migrations_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            DatabaseSettings(url=url)
        return url

    def risks(self) -> tuple[Risk, ...]:
        """Return what others on the network could read or fake, allowed or not."""
        values = {name: self._value(BY_NAME[name]) for name in LOOKED_AT}
        plain = {
            name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            for name, value in values.items()
            if value is not None
        }
        return tuple(risks(plain))

    def describe(self) -> str:
        """Return a table of all settings by variable name, without secrets, for people."""
        width = max(len(variable.name) for variable in VARIABLES)
        return "\n".join(
            f"{variable.name:<{width}}  {self._shown(variable)}" for variable in VARIABLES
        )

    def _shown(self, variable: Variable) -> str:
        owner, value = self._owner(variable), self._value(variable)
        text = _without_secret(value) if isinstance(value, SecretStr) else as_text(value)
        return f"{text or '-'}{'' if variable.field in owner.model_fields_set else '  (default)'}"

    def _owner(self, variable: Variable) -> BaseModel:
        owner: BaseModel = getattr(self, variable.group) if variable.group else self
        return owner

    def _value(self, variable: Variable) -> Any:
        return getattr(self._owner(variable), variable.field)


def definition(variable: Variable) -> FieldInfo:
    """Return the definition of the field behind a variable."""
    owner: type[BaseModel] = Settings
    if variable.group:
        part = Settings.model_fields[variable.group].annotation
        assert isinstance(part, type)
        owner = part
    return owner.model_fields[variable.field]


def is_secret(variable: Variable) -> bool:
    """Tell whether a variable's value must never be shown."""
    return "SecretStr" in str(definition(variable).annotation)


def default_text(variable: Variable) -> str | None:
    """Return a variable's default as it would be written; None if it has to be set."""
    info = definition(variable)
    if info.is_required():
        return None
    return "" if info.default_factory else as_text(info.default)


def as_text(value: Any) -> str:
    """Write a value the way it is written in the environment."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, frozenset):
        return ",".join(sorted(value))
    return str(value.value) if isinstance(value, Enum) else str(value)


def _without_secret(secret: SecretStr) -> str:
    """Return where a URL leads, and nothing that could be a part of a secret instead."""
    try:
        parts = DatabaseUrl.parse(secret.get_secret_value())
    except ValueError:
        return "(set)"
    if _HOSTS.fullmatch(parts.hosts):
        return f"{parts.scheme}://{parts.hosts}{parts.path}"
    return "(set)"
