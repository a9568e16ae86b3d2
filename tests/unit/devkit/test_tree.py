"""The check that keeps machine paths, package indexes and secrets out of the repository."""

import subprocess
from pathlib import Path

import pytest

from gateway_worker.devkit.tree import findings_in


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return an empty git checkout."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("cd " + "/wo" + "rk/main", "machine path"),
        ("open('" + "/ro" + "ot/notes')", "machine path"),
        ("see " + "/ho" + "me/ada/src", "machine path"),
        ("https://py" + "pi.org/simple", "package index"),
        ("--extra-index" + "-url x", "package index"),
        ("https://registry." + "npmjs.org/", "package index"),
        ("UV_DEFAULT" + "_INDEX=x", "package index"),
    ],
)
def test_what_does_not_belong_is_found(checkout: Path, line: str, what: str) -> None:
    """A file that git would add is searched, and the finding names the line."""
    (checkout / "notes.md").write_text(f"fine\n{line}\n")

    assert [(2, what)] == [(found.line, found.what) for found in findings_in(checkout)]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("-----BEGIN EC PRIVATE" + " KEY-----", "private key"),
        ("id = " + "AKIA" + "ABCDEFGHIJKLMNOP", "cloud key"),
        ("ghp_" + "a1" * 18, "access token"),
        ("xoxb-" + "1234567890", "access token"),
        ("eyJhbGciOiJIUzI1" + ".eyJzdWIiOiIxMjM0" + ".x", "signed token"),
        (f"2@{'aB3+' * 12},{'xY7/' * 11}=", "QR code"),
        ("amqp://gateway:" + "9aB8cD7eF6gH5iJ4kL3" + "@broker/v", "password in a URL"),
        ("API_KEY=" + "0123456789abcdef01234567", "named secret"),
        ("SNAPSHOT_KEYS=k1:" + "0123456789abcdefABCDEF+/" + "=", "named secret"),
        ('  "password": "' + 'correct0horse1battery2st"', "named secret"),
    ],
)
def test_secrets_are_found_and_not_shown(checkout: Path, line: str, what: str) -> None:
    """Whoever reads the check's output learns where one is, and no more."""
    (checkout / "notes.md").write_text(f"fine\n{line}\n")

    (found,) = findings_in(checkout)

    assert (found.line, found.what, found.text) == (2, what, "[hidden]")


@pytest.mark.parametrize(
    "line",
    [
        "AMQP_URL=amqp://gateway:…@broker/v",
        "postgresql://u:p@localhost/g",
        'token: str = "[secret]"',
        'SECRET = "hunter2-hunter2"',
        '"messageSecret": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="',
        "    --hash=sha256:66c85d311e30f1dd3e28109d686c9bf1d9dd1a74582004c7cb7bed284d8fe3b1",
        "token = environment_variable_that_has_it",
    ],
)
def test_what_stands_for_a_secret_is_fine(checkout: Path, line: str) -> None:
    """Examples, placeholders, names, and digests of what is public."""
    (checkout / "notes.md").write_text(line)

    assert list(findings_in(checkout)) == []


@pytest.mark.parametrize(
    "line", ["path/work/x", "a worker", "tests/root/x", "https://example.org/work/", "framework/"]
)
def test_words_that_only_look_alike_are_fine(checkout: Path, line: str) -> None:
    """Relative paths, URLs and words do not count."""
    (checkout / "notes.md").write_text(line)

    assert list(findings_in(checkout)) == []


def test_ignored_files_are_not_searched(checkout: Path) -> None:
    """What git ignores stays on the machine anyway."""
    (checkout / ".gitignore").write_text("*.log\n")
    (checkout / "own.log").write_text("/wo" + "rk/main")

    assert list(findings_in(checkout)) == []
