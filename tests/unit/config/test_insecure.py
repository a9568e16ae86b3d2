"""What production refuses: what others could read or fake, and stores without copies."""

import base64

import pytest

from gateway_worker.config import Environment, InvalidSettingsError, load_settings
from gateway_worker.config.insecure import Insecure, is_local

SECRET = "hunter2-hunter2"
SAFE = {
    "ENVIRONMENT": "production",
    "AMQP_URL": f"amqps://gateway:{SECRET}@broker.example:5671/gateway",
    "DATABASE_URL": f"postgresql://gateway:{SECRET}@db.example/gateway?sslmode=verify-full",
    "REDIS_URL": f"rediss://:{SECRET}@cache.example:6379/0",
    "S3_ENDPOINT_URL": "https://s3.example",
    "S3_BUCKET": "gateway",
    "SNAPSHOT_KEYS": "k:" + base64.b64encode(bytes(32)).decode(),
}


def refused(**changes: str | None) -> dict[str, str]:
    """Load production's settings with changes; return what is wrong by variable."""
    given = {name: value for name, value in (SAFE | changes).items() if value is not None}
    try:
        load_settings(given)
    except InvalidSettingsError as error:
        found = error
    else:
        return {}
    assert SECRET not in str(found)
    return {problem.variable: problem.text for problem in found.problems}


def test_what_is_safe_is_accepted() -> None:
    """With nothing to allow."""
    assert refused() == {}
    assert load_settings(SAFE).risks() == ()


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("AMQP_URL", "amqp://u:p@broker.example/v", "amqp"),
        ("AMQP_URL", "amqp://u:p@10.0.0.7:5672/v", "amqp"),
        ("AMQP_URL", "AMQP://u:p@broker.example/v", "amqp"),
        ("AMQP_URL", "amqp://u:p@localhost:5672,broker.example:5672/v", "amqp"),
        ("AMQP_URL", "amqps://u:p@a.example,b.example/v?no_verify_ssl=1", "amqp"),
        ("AMQP_URL", "amqps://u:p@broker.example/v?no_verify_ssl=1", "amqp"),
        ("AMQP_URL", "amqps://u:p@broker.example/v?verify=0", "amqp"),
        ("AMQP_URL", "amqps://u:p@broker.example/v?heartbeat=5&no_verify_ssl=true", "amqp"),
        ("REDIS_URL", "redis://:p@cache.example:6379/0", "redis"),
        ("REDIS_URL", "redis://[2001:db8::1]:6379/0", "redis"),
        ("REDIS_URL", "rediss://cache.example/0?ssl_cert_reqs=none", "redis"),
        ("REDIS_URL", "rediss://cache.example/0?ssl_cert_reqs=optional", "redis"),
        ("REDIS_URL", "rediss://cache.example/0?ssl_cert_reqs=CERT_NONE", "redis"),
        ("REDIS_URL", "rediss://cache.example/0?ssl_check_hostname=False", "redis"),
        ("S3_ENDPOINT_URL", "http://s3.example:9000", "s3"),
        ("S3_PUBLIC_ENDPOINT_URL", "http://files.example", "s3"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example:4318", "otlp"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "HTTP://10.0.0.7:4318/base", "otlp"),
        ("DATABASE_URL", "postgresql://u:p@db.example/g", "postgresql"),
        ("DATABASE_URL", "postgresql://u:p@db.example/g?sslmode=disable", "postgresql"),
        ("DATABASE_URL", "postgresql://u:p@db.example/g?sslmode=prefer", "postgresql"),
        ("DATABASE_URL", "postgresql://u:p@db.example/g?sslmode=require", "postgresql"),
        ("DATABASE_URL", "postgresql://u:p@db.example/g?sslmode=verify-ca", "postgresql"),
        ("DATABASE_URL", "postgresql://u:p@localhost,db.example/g", "postgresql"),
        ("DATABASE_URL", "postgresql://u:p@[::1],[2001:db8::1]:5432/g", "postgresql"),
        ("DATABASE_URL", "postgresql://u:p@/g?host=db.example", "postgresql"),
        ("DATABASE_URL", "postgresql://u:p@h/g?sslmode=verify-full&sslmode=disable", "postgresql"),
        ("MIGRATIONS_DATABASE_URL", "postgresql://u:p@db.example/g", "postgresql"),
        ("SNAPSHOT_KEYS", None, "snapshots"),
    ],
)
def test_what_is_not_safe_is_refused_unless_it_is_allowed(
    name: str, value: str | None, kind: str
) -> None:
    """By the setting's name, with the remedy and with the name that allows it."""
    problems = refused(**{name: value})
    assert set(problems) == {name}
    assert f"ALLOW_INSECURE={kind}" in problems[name]
    assert refused(**{name: value, "ALLOW_INSECURE": kind}) == {}
    assert refused(**{name: value, "ENVIRONMENT": "staging"}) == {}
    others = ",".join(sorted(set(Insecure) - {kind}))
    assert set(refused(**{name: value, "ALLOW_INSECURE": others})) == {name}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AMQP_URL", "amqp://u:p@localhost:5672/v"),
        ("AMQP_URL", "amqp://u:p@127.0.0.2:5672/v"),
        ("AMQP_URL", "amqps://u:p@broker.example/v?no_verify_ssl=0"),
        ("REDIS_URL", "redis://[::1]:6379/0"),
        ("REDIS_URL", "unix:///run/redis.sock"),
        ("REDIS_URL", "rediss://cache.example/0?ssl_cert_reqs=required"),
        ("S3_ENDPOINT_URL", "http://localhost:9000"),
        ("S3_ENDPOINT_URL", None),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example:4318"),
        ("DATABASE_URL", "postgresql://u:p@localhost/g"),
        ("DATABASE_URL", "postgresql://u:p@127.0.0.1,[::1]:5433/g"),
        ("DATABASE_URL", "postgresql:///g?host=/run/postgresql"),
        ("DATABASE_URL", "postgresql:///g"),
    ],
)
def test_what_does_not_leave_the_machine_is_fine(name: str, value: str | None) -> None:
    """Loopback and sockets need no TLS."""
    assert refused(**{name: value}) == {}


def test_everything_is_listed_at_once() -> None:
    """Together with whatever else is wrong."""
    problems = refused(
        AMQP_URL="amqp://u:p@broker.example/v",
        REDIS_URL="redis://cache.example",
        DATABASE_URL="postgresql://u:p@db.example/g",
        S3_ENDPOINT_URL="http://s3.example",
        SNAPSHOT_KEYS=None,
        CAPACITY="many",
    )
    assert set(problems) == {
        *("AMQP_URL", "REDIS_URL", "DATABASE_URL", "S3_ENDPOINT_URL", "SNAPSHOT_KEYS", "CAPACITY")
    }


@pytest.mark.parametrize("environment", list(Environment))
def test_unknown_names_cannot_be_allowed(environment: Environment) -> None:
    """One that is misspelt would be missed only in production."""
    problems = refused(ENVIRONMENT=environment.value, ALLOW_INSECURE="amqp, rabbit,everything")
    assert set(problems) == {"ALLOW_INSECURE"}
    assert "everything, rabbit" in problems["ALLOW_INSECURE"]
    assert "amqp, otlp, postgresql, redis, s3, snapshots" in problems["ALLOW_INSECURE"]


@pytest.mark.parametrize("environment", list(Environment))
def test_the_keys_of_tokens_are_never_taken_unencrypted(environment: Environment) -> None:
    """Whoever could replace them would be every tenant; nothing allows that, but on the machine."""
    tokens = {"TENANTS": "jwt", "JWT_AUDIENCE": "gateway", "ENVIRONMENT": environment.value}
    everything = ",".join(Insecure)
    address = "http://issuer.example/keys"
    problems = refused(**tokens, JWT_JWKS=address, ALLOW_INSECURE=everything)
    assert set(problems) == {"JWT_JWKS"}
    assert refused(**tokens, JWT_JWKS="https://issuer.example/keys") == {}
    assert refused(**tokens, JWT_JWKS="http://localhost:8080/keys") == {}


def test_names_may_have_spaces_and_capitals() -> None:
    """As in the other lists."""
    settings = load_settings({**SAFE, "ALLOW_INSECURE": " AMQP , redis,"})
    assert settings.allow_insecure == {Insecure.AMQP, Insecure.REDIS}
    shown = dict(line.split(maxsplit=1) for line in settings.describe().splitlines())
    assert shown["ALLOW_INSECURE"] == "amqp,redis"


def test_what_is_allowed_can_be_told() -> None:
    """The worker logs it at its start."""
    risky = {**SAFE, "AMQP_URL": "amqp://u:p@broker.example/v", "ALLOW_INSECURE": "amqp"}
    assert [(one.variable, one.kind) for one in load_settings(risky).risks()] == [
        ("AMQP_URL", "amqp")
    ]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.3.2.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("/run/socket", True),
        ("0.0.0.0", False),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_which_hosts_are_this_machine(host: str, *, expected: bool) -> None:
    """A name that only begins like one is not."""
    assert is_local(host) is expected
