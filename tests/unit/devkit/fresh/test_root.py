"""The directory around a bare root."""

import subprocess
from pathlib import Path

from gateway_worker.devkit.fresh.machine import Archive, Machine
from gateway_worker.devkit.fresh.root import CHECKOUT, Root, remove


def root_in(directory: Path, **values: tuple[Path, ...]) -> Root:
    """Return a root for a machine with nothing particular."""
    machine = Machine(
        archive=Archive(mirror="http://mirror.example/", pockets={"": "http://mirror.example/"}),
        apt_settings='Acquire::Retries "5";\n',
        environment={},
        files=values.get("files", ()),
        directories=(),
    )
    return Root(directory=directory, suite="trixie", machine=machine)


def repository(directory: Path) -> Path:
    """Make a checkout with a committed, a new and an ignored file."""
    directory.mkdir()
    for name in ("committed", "new", "ignored"):
        (directory / name).write_text(name)
    (directory / ".gitignore").write_text("ignored\n.venv/\n")
    for command in (["init", "--quiet"], ["add", "committed"]):
        subprocess.run(["git", "-C", str(directory), *command], check=True)
    return directory


def test_the_checkout_is_what_git_knows_or_would_add(tmp_path: Path) -> None:
    """As it lies there, committed or not; and a repository again, for checks that ask git."""
    root = root_in(tmp_path / "root")
    root.bring(repository(tmp_path / "checkout"))
    there = root.inside(CHECKOUT)
    assert {path.name for path in there.iterdir()} == {".git", ".gitignore", "committed", "new"}
    assert subprocess.run(
        ["git", "-C", str(there), "ls-files"], check=True, capture_output=True, text=True
    ).stdout.split() == [".gitignore", "committed", "new"]


def test_a_second_run_keeps_what_was_installed(tmp_path: Path) -> None:
    """But no file that is gone from the checkout meanwhile."""
    root = root_in(tmp_path / "root")
    checkout = repository(tmp_path / "checkout")
    root.bring(checkout)
    (root.inside(CHECKOUT) / ".venv").mkdir()
    (checkout / "new").unlink()
    root.bring(checkout)
    assert {path.name for path in root.inside(CHECKOUT).iterdir()} == {
        ".git",
        ".gitignore",
        ".venv",
        "committed",
    }


def test_package_clients_are_set_up(tmp_path: Path) -> None:
    """With the machine's own sources, settings and certificates in their places."""
    certificate = tmp_path / "ca.pem"
    certificate.write_text("a certificate")
    root = root_in(tmp_path / "root", files=(certificate,))
    (root.directory / "etc/apt/apt.conf.d").mkdir(parents=True)
    root.set_up()
    etc = root.directory / "etc"
    assert (etc / "apt/sources.list").read_text() == "deb http://mirror.example/ trixie main\n"
    assert "Retries" in (etc / "apt/apt.conf.d/99machine").read_text()
    assert "127.0.0.1 localhost" in (etc / "hosts").read_text()
    assert root.inside(certificate).read_text() == "a certificate"


def test_a_root_is_removed_whole(tmp_path: Path) -> None:
    """Also one that was never finished."""
    root = root_in(tmp_path / "root")
    root.bring(repository(tmp_path / "checkout"))
    remove(root.directory)
    assert not root.directory.exists()
    remove(root.directory)
