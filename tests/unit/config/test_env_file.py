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


@pytest.fixture
def secrets(file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of secrets, with all that is needed."""
    directory = file.parent / "secrets"
    directory.mkdir()
    for name, value in NEEDED.items():
        (directory / name).write_text(f"{value}\n")
    monkeypatch.setenv("SECRETS_DIR", str(directory))
    return directory


def test_an_editors_mark_is_no_part_of_a_secret(secrets: Path) -> None:
    """Nor is what an editor for Windows puts at the end of a line."""
    (secrets / "AMQP_URL").write_bytes(b"\xef\xbb\xbf" + NEEDED["AMQP_URL"].encode() + b"\r\n")
    assert load_settings().broker.url.get_secret_value() == NEEDED["AMQP_URL"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (NEEDED["AMQP_URL"].encode("utf-16"), "save it as UTF-8"),
        ("amqp://ü:x@broker".encode("latin-1"), "save it as UTF-8"),
        (NEEDED["AMQP_URL"].encode() + b"\0", "zero bytes"),
        (None, "Is a directory"),
    ],
    ids=["utf-16", "latin-1", "zero", "directory"],
)
def test_a_secret_that_cannot_be_read_is_named(
    secrets: Path, content: bytes | None, why: str
) -> None:
    """With the remedy, and no traceback; its content is not repeated."""
    (secrets / "AMQP_URL").unlink()
    if content is None:
        (secrets / "AMQP_URL").mkdir()
    else:
        (secrets / "AMQP_URL").write_bytes(content)

    found = _problems()

    assert set(found) == {"AMQP_URL"}
    assert why in found["AMQP_URL"]
    assert "broker" not in found["AMQP_URL"]


def test_a_secret_that_leads_nowhere_is_named(secrets: Path) -> None:
    """As where only a part of what was to be mounted is."""
    (secrets / "REDIS_URL").unlink()
    (secrets / "REDIS_URL").symlink_to(secrets / "..data" / "REDIS_URL")
    assert _problems() == {"REDIS_URL": "its file cannot be read: No such file or directory"}
