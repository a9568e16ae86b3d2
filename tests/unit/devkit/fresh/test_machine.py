"""What a bare root is told of how packages are reached."""

from pathlib import Path

import pytest

from gateway_worker.devkit.fresh.machine import (
    UnknownArchiveError,
    archive_in,
    existing_paths,
    passed_on,
    ways_of_apt,
)

LISTING = """\
http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm main
http://mirror.example/debian/ bookworm contrib
http://mirror.example/debian/ bookworm-updates main
http://mirror.example/security/ bookworm-security main
"""


def test_another_release_comes_from_the_same_archive() -> None:
    """With its updates and its security fixes."""
    archive = archive_in(LISTING, codename="bookworm")
    assert archive.mirror == "http://mirror.example/debian/"
    assert archive.sources("trixie") == (
        "deb http://mirror.example/debian/ trixie main\n"
        "deb http://mirror.example/debian/ trixie-updates main\n"
        "deb http://mirror.example/security/ trixie-security main\n"
    )


def test_other_vendors_archives_are_left_out() -> None:
    """They publish for Debian's releases under the same names, but no updates of these."""
    other = (
        "https://vendor.example/apt/ bookworm main\nhttps://vendor.example/pg bookworm-pgdg main\n"
    )
    assert archive_in(other + LISTING, codename="bookworm") == archive_in(
        LISTING, codename="bookworm"
    )


@pytest.mark.parametrize("listing", ["", "http://mirror.example/ubuntu/ noble main\n"])
def test_a_machine_without_an_archive_of_its_release(listing: str) -> None:
    """Is told so; the project names none."""
    with pytest.raises(UnknownArchiveError, match="bookworm"):
        archive_in(listing, codename="bookworm")


def test_how_archives_are_reached_and_no_more() -> None:
    """Hooks would call programs that the root has not."""
    dump = (
        'Acquire::http::Proxy "http://proxy.example:3128";\n'
        'Acquire::https::CaInfo "/etc/ssl/own.pem";\n'
        'Acquire::Retries "5";\n'
        'Acquire::Languages:: "en";\n'
        'DPkg::Post-Invoke:: "/usr/bin/something";\n'
    )
    assert ways_of_apt(dump).splitlines() == dump.splitlines()[:3]


def test_the_environment_of_package_clients() -> None:
    """Proxies, certificates and settings by variable; nothing that the project itself reads."""
    wanted = {
        "https_proxy": "http://proxy.example:3128",
        "NO_PROXY": "localhost",
        "PIP_CERT": "/etc/ssl/own.pem",
        "SSL_CERT_FILE": "/etc/ssl/own.pem",
    }
    others = {"WA_SERVICES": "docker", "AMQP_URL": "amqp://x", "HOME": "/h", "PATH": "/bin"}
    assert passed_on(wanted | others) == wanted


def test_what_settings_point_at(tmp_path: Path) -> None:
    """Files and directories, as paths or as URLs; what is not there cannot be brought."""
    wheels, certificate = tmp_path / "wheels", tmp_path / "ca.pem"
    wheels.mkdir()
    certificate.touch()
    text = f"find-links = file://{wheels} {tmp_path}/missing\ncert = '{certificate}'"
    assert existing_paths([text, str(wheels), "https://mirror.example/etc/hosts"]) == (
        wheels,
        certificate,
    )
