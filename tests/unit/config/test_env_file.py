"""The `.env` file: read whatever an editor has made of it, and taken at its word."""

from pathlib import Path

import pytest

from gateway_worker.config import InvalidSettingsError, load_settings
from gateway_worker.config.variables import BY_NAME, REMOVED

NEEDED = {
    "AMQP_URL": "amqp://gateway:x@broker:5672/gateway",
    "DATABASE_URL": "postgresql://gateway:x@db:5432/gateway",
    "REDIS_URL": "redis://cache:6379/0",
    "S3_BUCKET": "gateway",
}


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file, in an empty directory, with no variable set."""
    for name in (*BY_NAME, *REMOVED, "SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".env"


def _lines(**more: str) -> str:
    return "".join(f"{name}={value}\n" for name, value in {**NEEDED, **more}.items())


def _problems() -> dict[str, str]:
    with pytest.raises(InvalidSettingsError) as caught:
        load_settings()
    return {problem.variable: problem.text for problem in caught.value.problems}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf_8_is_read_with_and_without_its_mark(file: Path, encoding: str) -> None:
    """The mark is no part of the first name."""
    file.write_text(_lines(), encoding=encoding)
    assert load_settings().broker.url.get_secret_value() == NEEDED["AMQP_URL"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1"])
def test_another_encoding_is_a_problem_with_its_remedy(file: Path, encoding: str) -> None:
    """And no traceback."""
    file.write_text(_lines(WORKER_ID="übung"), encoding=encoding)
    assert "save it as UTF-8" in _problems()[".env"]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("AMQP_PREFECTH", "AMQP_PREFETCH"),
        ("amqp_prefetch", "AMQP_PREFETCH"),
        ("AMPQ_PREFETCH", "AMQP_PREFETCH"),
        ("HELTH_PORT", "HEALTH_PORT"),
        ("SNAPSHOT_KEY", "SNAPSHOT_KEYS"),
        ("S3_BUKET", "S3_BUCKET"),
        ("DATABASE_URLS", "DATABASE_URL"),
    ],
)
def test_a_misspelt_name_in_the_file_is_noticed(file: Path, wrong: str, meant: str) -> None:
    """Also beside the right one, and with a hint."""
    file.write_text(_lines(**{wrong: "1"}))
    assert _problems() == {wrong: f"there is no such setting; is {meant} meant? It is in .env"}


@pytest.mark.parametrize(
    "name",
    [
        "RABBITMQ_PASSWORD",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "REDIS_PORT",
        "COMPOSE_FILE",
        "TZ",
    ],
)
def test_names_of_other_programs_in_the_file_are_left_alone(file: Path, name: str) -> None:
    """Compose reads the same file."""
    file.write_text(_lines(**{name: "1"}))
    load_settings()


def test_a_misspelt_secret_is_noticed(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory of secrets is looked through like the environment."""
    secrets = file.parent / "secrets"
    secrets.mkdir()
    (secrets / "SNAPSHOT_KEY").write_text("1")
    monkeypatch.setenv("SECRETS_DIR", str(secrets))
    file.write_text(_lines())
    assert set(_problems()) == {"SNAPSHOT_KEY"}
