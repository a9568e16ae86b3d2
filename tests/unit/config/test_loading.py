"""The configuration: read once, checked as a whole, and silent about secrets."""

import base64
import socket
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_worker.config import (
    Environment,
    InvalidSettingsError,
    Problem,
    Settings,
    load_settings,
)
from gateway_worker.config.settings import definition, is_secret
from gateway_worker.config.variables import BY_NAME, REMOVED, VARIABLES
from gateway_worker.errors import ConfigurationError
from gateway_worker.log import LogLevel

SECRET = "hunter2-hunter2"
NEEDED = {
    "AMQP_URL": f"amqp://gateway:{SECRET}@broker:5672/gateway",
    "DATABASE_URL": f"postgresql://gateway:{SECRET}@db:5432/gateway?application_name={SECRET}",
    "REDIS_URL": f"redis://:{SECRET}@cache:6379/0",
    "S3_BUCKET": "gateway",
}


def problems(environ: dict[str, str]) -> dict[str, str]:
    """Load what cannot be loaded; returns what is wrong by variable."""
    with pytest.raises(InvalidSettingsError) as caught:
        load_settings(environ)
    assert SECRET not in str(caught.value)
    return {problem.variable: problem.text for problem in caught.value.problems}


def test_the_needed_variables_are_enough() -> None:
    """Everything else has a default."""
    settings = load_settings(NEEDED)

    assert settings.broker.url.get_secret_value() == NEEDED["AMQP_URL"]
    assert settings.database.url.get_secret_value() == NEEDED["DATABASE_URL"]
    assert settings.objects.bucket == "gateway"
    assert settings.environment is Environment.DEVELOPMENT
    assert settings.health.port == 8080


def test_every_variable_sets_its_setting() -> None:
    """The table leads to real fields, each once."""
    assert len(BY_NAME) == len(VARIABLES)
    assert len({variable.location for variable in VARIABLES}) == len(VARIABLES)

    settings = load_settings(
        {
            **NEEDED,
            "WORKER_ID": "gateway-worker-7",
            "ENVIRONMENT": "Production",
            "ALLOW_INSECURE": "amqp,postgresql,redis,snapshots",
            "DATA_DIR": "/var/lib/gateway",
            "CAPACITY": "7",
            "DRAIN_SECONDS": "12.5",
            "AUTO_MIGRATE": "yes",
            "AMQP_PREFETCH": "200",
            "DATABASE_POOL_SIZE": "9",
            "REDIS_PREFIX": "x:",
            "SEND_TIMEOUT_SECONDS": "20",
            "LOG_LEVEL": "debug",
            "HEALTH_PORT": "9000",
        }
    )

    assert settings.worker_id == "gateway-worker-7"
    assert settings.environment is Environment.PRODUCTION
    assert settings.data_dir == Path("/var/lib/gateway")
    assert settings.capacity == 7
    assert settings.drain_seconds == 12.5
    assert settings.auto_migrate is True
    assert settings.broker.prefetch == 200
    assert settings.database.pool_size == 9
    assert settings.cache.prefix == "x:"
    assert settings.whatsapp.send_timeout_seconds == 20
    assert settings.log.level is LogLevel.DEBUG
    assert settings.health.port == 9000


def test_every_problem_is_listed_at_once() -> None:
    """An operator fixes a deployment in one round, not in ten."""
    found = problems(
        {
            "AMQP_URL": f"http://gateway:{SECRET}@broker/",
            "AMQP_PREFETCH": "many",
            "S3_BUCKET": "gateway",
            "S3_ACCESS_KEY_ID": "id-without-secret",
            "HEALTH_PORT": "99999",
            "HOST_STOP_SECONDS": "1",
            "LOG_FORMAT": "xml",
            "ENVIRONMENT": "prod",
            "CAPACITY": "-1",
        }
    )

    assert set(found) == {
        "AMQP_PREFETCH",
        "AMQP_URL",
        "CAPACITY",
        "DATABASE_URL",
        "ENVIRONMENT",
        "HEALTH_PORT",
        "HOST_STOP_SECONDS",
        "LOG_FORMAT",
        "REDIS_URL",
        "S3_ACCESS_KEY_ID",
    }
    assert found["DATABASE_URL"] == "is not set"
    assert found["AMQP_PREFETCH"] == "should be a valid integer"
    assert found["HOST_STOP_SECONDS"].startswith("HOST_STOP_SECONDS must be above HOST_DRAIN_SECON")
    assert "production" in found["ENVIRONMENT"]


def test_the_error_reads_as_a_list() -> None:
    """One line per problem, by the variable's name."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"S3_BUCKET": "gateway", "AMQP_URL": NEEDED["AMQP_URL"]})

    assert str(caught.value) == (
        "the settings cannot be used:\n  DATABASE_URL: is not set\n  REDIS_URL: is not set"
    )


SECRETS = [variable.name for variable in VARIABLES if is_secret(variable)]


@settings(deadline=None)
@given(
    st.sampled_from(SECRETS),
    st.sampled_from(["", "amqp://u:", "postgresql://u:", "redis://:", "id:", "http://"]),
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=8, max_size=60),
    st.sampled_from(["", "@host:5672/x", "@host:notaport/", ",two:", "@"]),
)
def test_no_problem_shows_a_secret(name: str, before: str, secret: str, after: str) -> None:
    """Whatever is wrong with a secret, or right, it is not shown."""
    environ = {**NEEDED, name: before + secret + after}

    try:
        settings = load_settings(environ)
    except InvalidSettingsError as error:
        shown = str(error)
    else:
        shown = settings.describe() + repr(settings)
    assert secret not in shown


def test_settings_describe_themselves_without_secrets() -> None:
    """Every variable is shown, defaults are marked, of URLs only where they lead."""
    key = base64.b64encode(bytes(range(32))).decode()
    settings = load_settings(
        {
            **NEEDED,
            "S3_ACCESS_KEY_ID": "id",
            "S3_SECRET_ACCESS_KEY": SECRET,
            "SNAPSHOT_KEYS": f"2026a:{key}",
        }
    )

    lines = dict(line.split(None, 1) for line in settings.describe().splitlines())

    assert list(lines) == [variable.name for variable in VARIABLES]
    assert lines["AMQP_URL"] == "amqp://broker:5672/gateway"
    assert lines["DATABASE_URL"] == "postgresql://db:5432/gateway"
    assert lines["S3_SECRET_ACCESS_KEY"] == "(set)"
    assert lines["SNAPSHOT_KEYS"] == "(set)"
    assert lines["HEALTH_PORT"] == "8080  (default)"
    assert lines["MIGRATIONS_DATABASE_URL"] == "-  (default)"
    assert SECRET not in settings.describe()
    assert key not in settings.describe()


def test_the_workers_name_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to the first dot, as a pod's name."""
    monkeypatch.setattr(socket, "gethostname", lambda: "gateway-worker-3.gateway.svc")

    assert load_settings(NEEDED).worker_id == "gateway-worker-3"


def test_a_machine_whose_name_will_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker has to be named then."""
    monkeypatch.setattr(socket, "gethostname", lambda: "my laptop")

    assert problems(NEEDED)["WORKER_ID"].startswith("is not set, and the machine's name cannot")


@pytest.fixture
def sandbox(tmp_path: Path) -> dict[str, str]:
    """The three variables of a sandbox."""
    authority = tmp_path / "ca.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----")
    return {
        "SANDBOX_PROXY_URL": "http://127.0.0.1:8899",
        "SANDBOX_CA_FILE": str(authority),
        "SANDBOX_ROOT_KEY": "ab" * 32,
    }


def test_a_sandbox_is_set_by_three_variables(sandbox: dict[str, str]) -> None:
    """All three lead to the hosts' settings."""
    whatsapp = load_settings({**NEEDED, **sandbox}).whatsapp

    assert whatsapp.sandbox_proxy_url == "http://127.0.0.1:8899"
    assert whatsapp.sandbox_root_key == "ab" * 32


@pytest.mark.parametrize("left_out", ["SANDBOX_PROXY_URL", "SANDBOX_CA_FILE", "SANDBOX_ROOT_KEY"])
def test_a_sandbox_is_set_as_a_whole(sandbox: dict[str, str], left_out: str) -> None:
    """A part of it is a mistake that would otherwise reach the real WhatsApp; named once."""
    del sandbox[left_out]

    found = problems({**NEEDED, **sandbox})

    assert set(found) == {left_out}
    assert found[left_out].startswith("is not set, but belongs to SANDBOX_")


@pytest.mark.parametrize("production", ["production", "PRODUCTION", " Production "])
def test_production_refuses_the_sandbox(sandbox: dict[str, str], production: str) -> None:
    """However it is written, and every part of it is named."""
    allowed = {"ALLOW_INSECURE": "amqp,postgresql,redis,snapshots"}
    found = problems({**NEEDED, **sandbox, **allowed, "ENVIRONMENT": production})

    assert set(found) == set(sandbox)
    assert "must not be set where ENVIRONMENT is production" in found["SANDBOX_CA_FILE"]


def test_files_that_are_missing_are_found_at_once(sandbox: dict[str, str], tmp_path: Path) -> None:
    """Not by another process, later."""
    file = tmp_path / "file"
    file.touch()

    found = problems(
        {
            **NEEDED,
            **sandbox,
            "SANDBOX_CA_FILE": str(tmp_path / "missing.pem"),
            "LOG_FILE": str(tmp_path / "missing" / "worker.log"),
            "DATA_DIR": str(file),
            "S3_CA_FILE": str(file),
            "S3_CERT_FILE": str(tmp_path / "missing.pem"),
        }
    )

    assert set(found) == {"SANDBOX_CA_FILE", "LOG_FILE", "DATA_DIR", "S3_CERT_FILE"}
    assert problems({**NEEDED, "LOG_FILE": str(tmp_path)})["LOG_FILE"].endswith("written to")


def test_a_key_belongs_to_a_certificate(tmp_path: Path) -> None:
    """The store's client would be asked for both."""
    key = tmp_path / "key.pem"
    key.touch()

    assert problems({**NEEDED, "S3_KEY_FILE": str(key)})["S3_KEY_FILE"].endswith("S3_CERT_FILE")


@pytest.mark.parametrize(
    ("variable", "parameter"),
    [
        ("AMQP_URL", "cafile"),
        ("DATABASE_URL", "sslrootcert"),
        ("MIGRATIONS_DATABASE_URL", "sslkey"),
        ("REDIS_URL", "ssl_ca_certs"),
    ],
)
def test_certificates_that_are_missing_are_found_at_once(
    tmp_path: Path, variable: str, parameter: str
) -> None:
    """Not as a service that cannot be reached, after half a minute."""
    url = NEEDED.get(variable, NEEDED["DATABASE_URL"])
    joint = "&" if "?" in url else "?"
    missing = tmp_path / "missing.pem"
    changed = {**NEEDED, variable: f"{url}{joint}{parameter}={missing}"}

    assert problems(changed)[variable] == f"{parameter}: there is no file {missing}"

    missing.touch()
    load_settings(changed)


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("SANDBOX_PROXY", "SANDBOX_PROXY_URL"),
        ("SANDBOX_CAFILE", "SANDBOX_CA_FILE"),
        ("AMQP_PREFETCHS", "AMQP_PREFETCH"),
        ("DATABASE_POOLSIZE", "DATABASE_POOL_SIZE"),
        ("HEALTH_PROT", "HEALTH_PORT"),
    ],
)
def test_misspelt_names_are_noticed(wrong: str, meant: str) -> None:
    """A setting that would silently be ignored is a problem, with a hint."""
    assert problems({**NEEDED, wrong: "1"}) == {
        wrong: f"there is no such setting; is {meant} meant?"
    }


@pytest.mark.parametrize("value", ["postgres", "files"])
def test_a_setting_of_an_earlier_release_is_not_ignored(value: str) -> None:
    """Whoever had devices in the database must hear that they are looked for elsewhere now."""
    found = problems({**NEEDED, "DEVICE_STORE": value, "DEVICE_STORE_URL": "postgresql://h/d"})

    assert set(found) == {"DEVICE_STORE", "DEVICE_STORE_URL"}
    assert "SNAPSHOT_KEYS" in found["DEVICE_STORE"]
    assert "session.restart" in found["DEVICE_STORE"]


@pytest.mark.parametrize("name", REMOVED)
def test_a_setting_of_an_earlier_release_is_found_in_every_place(
    surroundings: Path, name: str
) -> None:
    """A file is where most have it."""
    lines = [f"{each}={value}" for each, value in {**NEEDED, name: "x"}.items()]
    (surroundings / ".env").write_text("\n".join(lines))

    with pytest.raises(InvalidSettingsError, match=f"{name}: there is no such setting any more"):
        load_settings()


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "REDIS_SERVICE_HOST",
        "REDIS_PORT",
        "REDIS_PORT_6379_TCP",
        "REDIS_PORT_6379_TCP_ADDR",
        "SANDBOX_PROXY_PORT",
        "SANDBOX_PROXY_SERVICE_PORT",
        "LOG_HANDLER_OF_SOMETHING_ELSE",
        "amqp_url",
    ],
)
def test_other_peoples_variables_are_left_alone(name: str) -> None:
    """What Kubernetes adds for every service, and what other programs use."""
    assert isinstance(load_settings({**NEEDED, name: "tcp://10.0.0.1:6379"}), Settings)


def test_an_empty_value_counts_as_not_set() -> None:
    """Compose files and charts hand over empty strings."""
    assert load_settings({**NEEDED, "AMQP_PREFETCH": "", "LOG_FILE": " "}).broker.prefetch == 128
    assert problems({**NEEDED, "REDIS_URL": " "}) == {"REDIS_URL": "is not set"}


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Work in an empty directory, with no variable set."""
    for name in (*BY_NAME, *REMOVED, "SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_environment_goes_before_the_file_and_the_secrets(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Environment, then `.env`, then the directory of secrets."""
    secrets = surroundings / "secrets"
    secrets.mkdir()
    for name, value in NEEDED.items():
        (secrets / name).write_text(value + "\n")
    (secrets / "CAPACITY").write_text("1")
    (secrets / "HEALTH_PORT").write_text("1")
    (surroundings / ".env").write_text("# a comment\nCAPACITY=2\nHEALTH_PORT=2\nUNKNOWN=1\n")
    monkeypatch.setenv("SECRETS_DIR", str(secrets))
    monkeypatch.setenv("CAPACITY", "3")

    settings = load_settings()

    assert settings.capacity == 3
    assert settings.health.port == 2
    assert settings.broker.url.get_secret_value() == NEEDED["AMQP_URL"]


@pytest.mark.usefixtures("surroundings")
def test_a_missing_directory_of_secrets_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A volume that was not mounted is named, next to what is missing because of it."""
    monkeypatch.setenv("SECRETS_DIR", "/no/such/directory")

    with pytest.raises(InvalidSettingsError) as caught:
        load_settings()

    expected = Problem(variable="SECRETS_DIR", text="there is no directory /no/such/directory")
    assert expected in caught.value.problems


NUMBERS: Final = [each.name for each in VARIABLES if definition(each).annotation in (int, float)]


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_nobody_can_mean_are_refused(name: str) -> None:
    """A time "for ever" must not end in dates that the calendar does not have."""
    texts = ["nan", "inf", "1e300", "9" * 30, "-1"]
    if name == "AMQP_FULL_QUEUE_PATIENCE_SECONDS":
        texts.remove("inf")  # that has a meaning
    for text in texts:
        assert name in problems({**NEEDED, name: text})


@pytest.mark.parametrize("name", [one for one in NUMBERS if one.endswith("_DAYS")])
def test_what_is_kept_can_be_kept_for_a_hundred_years(name: str) -> None:
    """The broker knows 49 days at most."""
    most = 49 if name == "AMQP_DEAD_LETTER_DAYS" else 36_500
    assert isinstance(load_settings({**NEEDED, name: str(most)}), Settings)
    assert name in problems({**NEEDED, name: str(most + 1)})


@pytest.mark.parametrize(
    "name", ["S3_CA_FILE", "S3_CERT_FILE", "S3_KEY_FILE", "LOG_FILE", "DATA_DIR"]
)
@pytest.mark.parametrize(
    "content", ["-----BEGIN KEY-----\nc2VjcmV0\n-----END KEY-----", "c2VjcmV0" * 40]
)
def test_the_content_of_a_file_in_place_of_its_name_is_not_repeated(
    name: str, content: str
) -> None:
    """It may be a key."""
    found = problems({**NEEDED, name: content})

    assert "is no path" in found[name]
    assert not any("c2VjcmV0" in text for text in found.values())
