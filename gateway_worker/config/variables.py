"""Every variable of the environment, and the setting that it sets.

A setting without a variable is not meant to be changed by an operator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable.

    Attributes:
        name: In the environment.
        group: The part of `Settings` that it belongs to; empty for `Settings` itself.
        field: The field in that part.
    """

    name: str
    group: str
    field: str

    @property
    def location(self) -> tuple[str, ...]:
        """Where the setting is, as a path from `Settings`."""
        return (self.group, self.field) if self.group else (self.field,)


def _of(group: str, fields: Mapping[str, str]) -> tuple[Variable, ...]:
    return tuple(Variable(name=name, group=group, field=field) for name, field in fields.items())


VARIABLES: Final = (
    *_of(
        "",
        {
            "WORKER_ID": "worker_id",
            "ENVIRONMENT": "environment",
            "ALLOW_INSECURE": "allow_insecure",
            "FEATURES": "features",
            "DATA_DIR": "data_dir",
            "CAPACITY": "capacity",
            "HEARTBEAT_SECONDS": "heartbeat_seconds",
            "LEASE_SECONDS": "lease_seconds",
            "STRANDED_SECONDS": "stranded_seconds",
            "REACHOUT_HOLD_SECONDS": "reachout_hold_seconds",
            "DRAIN_SECONDS": "drain_seconds",
            "EVENT_RETENTION_SECONDS": "event_retention_seconds",
            "BULKS_AT_ONCE": "bulks_at_once",
            "COMMAND_RETENTION_DAYS": "command_retention_days",
            "MESSAGE_RETENTION_DAYS": "message_retention_days",
            "RECEIPT_RETENTION_DAYS": "receipt_retention_days",
            "COUNT_RETENTION_DAYS": "count_retention_days",
            "UNDELIVERED_SECONDS": "undelivered_seconds",
            "SESSION_HEALTH_SECONDS": "session_health_seconds",
            "AUTO_MIGRATE": "auto_migrate",
        },
    ),
    *_of(
        "broker",
        {
            "AMQP_URL": "url",
            "AMQP_OPERATOR_URL": "operator_url",
            "AMQP_PREFIX": "prefix",
            "AMQP_PREFETCH": "prefetch",
            "AMQP_UNASSIGNED_PREFETCH": "unassigned_prefetch",
            "AMQP_ATTENDED_PREFETCH": "attended_prefetch",
            "AMQP_UNSETTLED_BYTES": "unsettled_bytes",
            "AMQP_HEARTBEAT_SECONDS": "heartbeat_seconds",
            "AMQP_STARTUP_TIMEOUT_SECONDS": "startup_timeout_seconds",
            "AMQP_WAIT_FOR_BROKER": "wait_for_broker",
            "AMQP_PUBLISH_TIMEOUT_SECONDS": "publish_timeout_seconds",
            "AMQP_RECONNECT_MAXIMUM_SECONDS": "reconnect_maximum_seconds",
            "AMQP_UPKEEP_INTERVAL_SECONDS": "upkeep_interval_seconds",
            "AMQP_FULL_QUEUE_PATIENCE_SECONDS": "full_queue_patience_seconds",
            "AMQP_BACKENDS": "backends",
            "AMQP_DEAD_LETTER_DAYS": "dead_letter_days",
            "AMQP_DEAD_LETTER_BYTES": "dead_letter_bytes",
        },
    ),
    *_of(
        "database",
        {
            "DATABASE_URL": "url",
            "DATABASE_STARTUP_TIMEOUT_SECONDS": "startup_timeout_seconds",
            "DATABASE_POOL_SIZE": "pool_size",
            "DATABASE_POOL_OVERFLOW": "pool_overflow",
            "DATABASE_STATEMENT_TIMEOUT_SECONDS": "statement_timeout_seconds",
            "DATABASE_ANSWER_TIMEOUT_SECONDS": "answer_timeout_seconds",
        },
    ),
    *_of("", {"MIGRATIONS_DATABASE_URL": "migrations_url"}),
    *_of(
        "cache",
        {
            "REDIS_URL": "url",
            "REDIS_PREFIX": "prefix",
            "REDIS_TIMEOUT_SECONDS": "operation_timeout_seconds",
        },
    ),
    *_of(
        "objects",
        {
            "S3_ENDPOINT_URL": "endpoint_url",
            "S3_PUBLIC_ENDPOINT_URL": "public_endpoint_url",
            "S3_REGION": "region",
            "S3_CA_FILE": "ca_file",
            "S3_CERT_FILE": "cert_file",
            "S3_KEY_FILE": "key_file",
            "S3_BUCKET": "bucket",
            "S3_CREATE_BUCKET": "create_bucket",
            "S3_ACCESS_KEY_ID": "access_key_id",
            "S3_SECRET_ACCESS_KEY": "secret_access_key",
            "S3_PREFIX": "prefix",
            "SNAPSHOT_KEYS": "snapshot_keys",
            "SNAPSHOT_QUIET_SECONDS": "snapshot_quiet_seconds",
            "SNAPSHOT_MAXIMUM_SECONDS": "snapshot_maximum_seconds",
        },
    ),
    *_of(
        "media",
        {
            "MEDIA_URL_ALLOWED_HOSTS": "url_allowed_hosts",
            "MEDIA_URL_PRIVATE_HOSTS": "url_private_hosts",
            "MEDIA_URL_PORTS": "url_ports",
            "MEDIA_EGRESS_PROXY": "egress_proxy",
            "MEDIA_EGRESS_PROXY_RESOLVES": "egress_proxy_resolves",
            "MEDIA_MAX_IMAGE_BYTES": "max_image_bytes",
            "MEDIA_MAX_VIDEO_BYTES": "max_video_bytes",
            "MEDIA_MAX_AUDIO_BYTES": "max_audio_bytes",
            "MEDIA_MAX_VOICE_BYTES": "max_voice_bytes",
            "MEDIA_MAX_STICKER_BYTES": "max_sticker_bytes",
            "MEDIA_MAX_DOCUMENT_BYTES": "max_document_bytes",
            "MEDIA_FETCH_SECONDS": "fetch_seconds",
            "MEDIA_PARALLEL_UPLOADS": "parallel_uploads",
            "MEDIA_UPLOAD_URL_SECONDS": "upload_url_seconds",
            "MEDIA_UPLOAD_KEEP_SECONDS": "upload_keep_seconds",
            "MEDIA_DOWNLOAD": "download",
            "MEDIA_EAGER_MAX_BYTES": "eager_max_bytes",
            "MEDIA_PARALLEL": "parallel",
            "MEDIA_RETENTION_DAYS": "retention_days",
            "MEDIA_URL_SECONDS": "url_seconds",
            "MEDIA_CDN_URL": "cdn_url",
        },
    ),
    *_of(
        "pacing",
        {
            "PACING_PROFILE": "profile",
            "PACING_RECIPIENT_BURST": "recipient_burst",
            "PACING_RECIPIENT_SECONDS": "recipient_seconds",
            "PACING_JITTER": "jitter",
            "PACING_TIME_ZONE": "time_zone",
            "PACING_LONGEST_WAIT_SECONDS": "longest_wait_seconds",
        },
    ),
    *_of(
        "tenants",
        {
            "TENANTS": "mode",
            "TENANT_OPERATORS": "operators",
            "TENANT_MAX_SESSIONS": "max_sessions",
            "TENANT_COMMANDS_PER_SECOND": "commands_per_second",
            "TENANT_COMMANDS_BURST": "commands_burst",
            "TENANT_COMMANDS_IN_PROGRESS": "commands_in_progress",
            "TENANT_COMMANDS_WAITING": "commands_waiting",
            "TENANT_MEDIA_BYTES_PER_DAY": "media_bytes_per_day",
            "TENANT_RECEIVED_BYTES_PER_DAY": "received_bytes_per_day",
            "TENANT_WEIGHTS": "weights",
            "JWT_JWKS": "jwt_jwks",
            "JWT_AUDIENCE": "jwt_audience",
            "JWT_ISSUER": "jwt_issuer",
            "JWT_ALGORITHMS": "jwt_algorithms",
            "JWT_SECRET": "jwt_secret",
            "JWT_LEEWAY_SECONDS": "jwt_leeway_seconds",
            "JWT_REFRESH_SECONDS": "jwt_refresh_seconds",
            "JWT_KEEP_SECONDS": "jwt_keep_seconds",
            "JWT_HOLD_SECONDS": "jwt_hold_seconds",
        },
    ),
    *_of(
        "whatsapp",
        {
            "SEND_TIMEOUT_SECONDS": "send_timeout_seconds",
            "HOST_GOGC": "gogc",
            "HOST_GOMEMLIMIT_MIB": "gomemlimit_mebibytes",
            "HOST_MEMORY_LIMIT_MIB": "memory_limit_mebibytes",
            "HOST_LARGE_UPLOAD_MIB": "large_upload_mebibytes",
            "HOST_MALLOC_ARENAS": "malloc_arenas",
            "HOST_DRAIN_SECONDS": "drain_seconds",
            "HOST_STOP_SECONDS": "stop_seconds",
            "HOST_ORPHAN_SECONDS": "orphan_seconds",
            "HOST_UNREACHABLE_SECONDS": "unreachable_seconds",
            "SILENCE_SECONDS": "silence_seconds",
            "SILENCE_PROBE_SECONDS": "probe_seconds",
            "SPOOL_LIMIT_BYTES": "spool_limit_bytes",
            "SPOOL_SYNC": "spool_sync",
            "PROXY_ALLOWED_HOSTS": "proxy_allowed_hosts",
            "PROXY_PRIVATE_HOSTS": "proxy_private_hosts",
            "SANDBOX_PROXY_URL": "sandbox_proxy_url",
            "SANDBOX_CA_FILE": "sandbox_ca_file",
            "SANDBOX_ROOT_KEY": "sandbox_root_key",
        },
    ),
    *_of(
        "log",
        {
            "LOG_LEVEL": "level",
            "LOG_FORMAT": "format",
            "LOG_FILE": "file",
            "LOG_FILE_MAX_BYTES": "file_max_bytes",
            "LOG_FILE_BACKUPS": "file_backups",
        },
    ),
    *_of(
        "tracing",
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "endpoint",
            "OTEL_EXPORTER_OTLP_HEADERS": "headers",
            "OTEL_SERVICE_NAME": "service_name",
            "OTEL_TRACES_SAMPLER_ARG": "sample_ratio",
        },
    ),
    *_of(
        "health",
        {
            "HEALTH_HOST": "host",
            "HEALTH_PORT": "port",
            "HEALTH_CHECK_INTERVAL_SECONDS": "check_interval_seconds",
            "HEALTH_CHECK_TIMEOUT_SECONDS": "check_timeout_seconds",
            "HEALTH_STUCK_SECONDS": "stuck_seconds",
        },
    ),
)
"""In the order in which they are described in `.env.example`."""

BY_NAME: Final = {variable.name: variable for variable in VARIABLES}
BY_LOCATION: Final = {variable.location: variable for variable in VARIABLES}
GROUPS: Final = tuple(dict.fromkeys(v.group for v in VARIABLES if v.group))
REMOVED: Final = {
    "DEVICE_STORE": (
        "there is no such setting any more, device stores are files in DATA_DIR. Take it away, and"
        " set SNAPSHOT_KEYS for copies of them. Accounts whose devices are in PostgreSQL have to be"
        " linked again: session.restart shows a QR code"
    ),
    **dict.fromkeys(
        ("DEVICE_STORE_URL", "DEVICE_STORE_CONNECTIONS", "DEVICE_STORE_SCHEMA"),
        "there is no such setting any more, as there is no DEVICE_STORE. Take it away",
    ),
}
"""Variables of earlier releases that must not be ignored, and what is to be done about each."""

SANDBOX: Final = ("SANDBOX_PROXY_URL", "SANDBOX_CA_FILE", "SANDBOX_ROOT_KEY")
