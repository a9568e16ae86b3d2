"""What can be set about the broker."""

from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from gateway_contracts import BackendTopology, Topology
from gateway_contracts.amqp_urls import single_urls
from gateway_contracts.topology import LONGEST_DAYS
from gateway_worker.runtime.urls import ENCODED, has_torn_login


class BrokerSettings(BaseModel):
    """Settings of the broker. All times are in seconds.

    Attributes:
        url: AMQP URL with user, password and virtual host; `amqps` for TLS, where aiormq's query
            parameters `cafile`, `certfile` and `keyfile` name the certificates. Several hosts with
            commas between them are nodes of one cluster.
        operator_url: The same for a user who makes backends' queues and looks after dead letters;
            by default the worker's. Only `gateway-worker ctl` uses it.
        prefix: First part of every exchange's and queue's name.
        prefetch: Commands of this worker's own queue that are handed out before the first of them
            is settled. Every lost connection counts as a delivery for all of them.
        unassigned_prefetch: The same for the queue of sessions without an owner; small, so that
            workers share it.
        attended_prefetch: The same for the queue of a worker that has died; large, because commands
            that nobody can execute yet stay unsettled, and because the order of what such a queue
            has got back is known only once all of it has come.
        unsettled_bytes: How much the bodies of commands may take together that were handed out and
            are not settled; of one tenant, or of one session that is nobody's, a quarter of it. A
            command of more than 4 KiB that comes beyond that is refused, and if half as much again
            is in memory all the same, the broker is read from slowly.
        heartbeat_seconds: A peer that is silent for three times as long is given up.
        connect_timeout_seconds: For one attempt to connect.
        startup_timeout_seconds: How long the first connection may take, over all attempts.
        wait_for_broker: Wait for the first connection as long as it takes.
        request_timeout_seconds: For one answer of the broker (declare, bind, consume).
        publish_timeout_seconds: For the confirm of one message.
        settle_timeout_seconds: For handing the last acknowledgements to the connection at the end.
        reconnect_initial_seconds: The first wait between attempts to connect, about.
        reconnect_maximum_seconds: The longest wait between attempts to connect.
        watch_interval_seconds: How often the broker is asked whether it still knows our consumer.
        upkeep_interval_seconds: How often it is looked after what was declared and bound, and how
            deep the queues are that backends empty.
        full_queue_patience_seconds: How long events wait for a queue that refuses them, before they
            go on without it; `inf` for as long as it takes.
        backends: The backend services whose queues are watched, besides those that send commands.
        dead_letter_days: How long a dead command is kept. The same for the whole fleet: it is an
            argument of the queue.
        dead_letter_bytes: How many bytes of dead commands are kept; the oldest go first. Likewise.
        remembered_commands: How many settled commands are remembered to acknowledge them again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: SecretStr
    operator_url: SecretStr | None = None
    prefix: str = "wa"
    prefetch: int = Field(128, ge=64, le=256)
    unassigned_prefetch: int = Field(16, ge=1, le=256)
    attended_prefetch: int = Field(10_000, ge=64, le=60_000)
    unsettled_bytes: int = Field(67_108_864, ge=16_777_216)
    heartbeat_seconds: int = Field(10, ge=2, le=60)
    connect_timeout_seconds: float = Field(5.0, gt=0)
    startup_timeout_seconds: float = Field(30.0, gt=0)
    wait_for_broker: bool = False
    request_timeout_seconds: float = Field(10.0, gt=0)
    publish_timeout_seconds: float = Field(10.0, gt=0)
    settle_timeout_seconds: float = Field(5.0, gt=0)
    reconnect_initial_seconds: float = Field(0.2, gt=0)
    reconnect_maximum_seconds: float = Field(10.0, gt=0)
    watch_interval_seconds: float = Field(10.0, gt=0)
    upkeep_interval_seconds: float = Field(30.0, gt=0)
    full_queue_patience_seconds: float = Field(5.0, ge=0, allow_inf_nan=True)
    backends: str = ""
    dead_letter_days: int = Field(30, ge=1, le=LONGEST_DAYS)
    dead_letter_bytes: int = Field(1_073_741_824, ge=1_048_576)
    remembered_commands: int = Field(20_000, ge=1000)

    @field_validator("url", "operator_url")
    @classmethod
    def _is_amqp(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None:
            return None
        if not _names_brokers(url.get_secret_value()):
            raise ValueError(
                f"not an AMQP URL: amqp://user:password@host:port/vhost is expected{ENCODED}"
            )
        return url

    @field_validator("backends")
    @classmethod
    def _are_services(cls, backends: str) -> str:
        for name in _names(backends):
            BackendTopology(service=name)
        return backends

    @field_validator("prefix")
    @classmethod
    def _is_prefix(cls, prefix: str) -> str:
        Topology(prefix=prefix)
        return prefix

    @model_validator(mode="after")
    def _waits_grow(self) -> Self:
        if self.reconnect_maximum_seconds < self.reconnect_initial_seconds:
            raise ValueError("reconnect_maximum_seconds is below reconnect_initial_seconds")
        return self

    @property
    def topology(self) -> Topology:
        """The names that follow from the prefix."""
        return Topology(
            prefix=self.prefix,
            dead_letter_days=self.dead_letter_days,
            dead_letter_bytes=self.dead_letter_bytes,
        )

    @property
    def backend_names(self) -> tuple[str, ...]:
        """The backend services whose queues are watched from the start."""
        return _names(self.backends)

    @property
    def for_operator(self) -> "BrokerSettings":
        """The same settings with the operator's user."""
        return self.model_copy(update={"url": self.operator_url or self.url})

    @property
    def vhost(self) -> str:
        """The virtual host."""
        return unquote(urlsplit(self.urls[0]).path.removeprefix("/")) or "/"

    @property
    def urls(self) -> tuple[str, ...]:
        """A URL for each host, credentials included."""
        return single_urls(self.url.get_secret_value())

    @property
    def address(self) -> str:
        """Hosts, ports and virtual host without credentials, for messages."""
        parts = [urlsplit(url) for url in self.urls]
        return f"{','.join(map(_address, parts))}{parts[0].path or '/'}"


def _names_brokers(url: str) -> bool:
    return not has_torn_login(url) and all(map(_names_broker, single_urls(url)))


def _names_broker(url: str) -> bool:
    parts = urlsplit(url)
    try:
        return parts.scheme in {"amqp", "amqps"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of the port; what stands in its place may be a part of the password
        return False


def _address(parts: SplitResult) -> str:
    return f"{parts.hostname}:{parts.port or (5671 if parts.scheme == 'amqps' else 5672)}"


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))
