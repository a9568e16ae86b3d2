"""How this machine reaches Debian's, Python's and Node's packages: a root goes the same way."""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_POCKETS: Final = ("", "-updates", "-security")
_LISTING: Final = (
    "apt-get",
    "indextargets",
    "--no-release-info",
    "--format",
    "$(REPO_URI) $(RELEASE) $(COMPONENT)",
    "Created-By: Packages",
)
_WAYS_OF_APT: Final = re.compile(
    r"Acquire::(?:https?|ftp|Retries|ForceIPv[46]|Check-Date|Check-Valid-Until)\b"
)
_SETTINGS: Final = (
    Path("/etc/xdg/pip/pip.conf"),
    Path("/etc/pip.conf"),
    Path("/etc/uv/uv.toml"),
    Path.home() / ".pip/pip.conf",
    Path.home() / ".config/pip/pip.conf",
    Path.home() / ".config/uv/uv.toml",
    Path.home() / ".npmrc",
)
_PASSED_ON: Final = re.compile(
    r"(?i:https?|all|no|ftp)_(?i:proxy)|PIP_\w+|UV_\w+|(?i:npm_config)_\w+|NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|TERM"
)
_ABSOLUTE_PATH: Final = re.compile(r"(?:(?<=file://)|(?<![\w./:-]))/[\w.+@-]+(?:/[\w.+@-]+)+")


class UnknownArchiveError(Exception):
    """This machine's apt has no archive of Debian's own releases to take a root from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Where Debian's packages come from.

    Attributes:
        mirror: The address of the releases.
        pockets: For each of a release's pockets ("", "-updates", "-security") its address.
    """

    mirror: str
    pockets: Mapping[str, str]

    def sources(self, suite: str) -> str:
        """Return the lines of a `sources.list` for some release."""
        return "".join(
            f"deb {address} {suite}{pocket} main\n" for pocket, address in self.pockets.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a root needs of this machine to install packages.

    Attributes:
        archive: Debian's packages.
        apt_settings: Lines for a file in `apt.conf.d`: proxies, certificates, retries.
        environment: The variables that package clients go by.
        files: Files that a client reads; to be copied to the same place.
        directories: Directories that a client reads; to be mounted in the same place, read-only.
    """

    archive: Archive
    apt_settings: str
    environment: Mapping[str, str]
    files: tuple[Path, ...]
    directories: tuple[Path, ...]

    @classmethod
    def read(cls) -> "Machine":
        """Look at apt's, pip's and npm's settings.

        Raises:
            UnknownArchiveError: apt has no archive of this machine's own release.
        """
        environment = passed_on(os.environ)
        settings = [path for path in _SETTINGS if path.is_file()]
        texts = [*environment.values(), *(path.read_text() for path in settings)]
        apt_settings = ways_of_apt(_output("apt-config", "dump"))
        named = existing_paths([*texts, apt_settings])
        return cls(
            archive=archive_in(_output(*_LISTING), codename=_codename()),
            apt_settings=apt_settings,
            environment=environment,
            files=(*settings, *(path for path in named if path.is_file())),
            directories=tuple(path for path in named if path.is_dir()),
        )


def archive_in(listing: str, *, codename: str) -> Archive:
    """Find Debian's archive among what apt is set up for: lines of address, release, component.

    Other vendors publish for Debian's releases too, but none of them has its updates.

    Raises:
        UnknownArchiveError: It is not there.
    """
    found: dict[str, list[str]] = {}
    for line in listing.splitlines():
        address, release, component = line.split()
        pocket = release.removeprefix(codename)
        if release.startswith(codename) and pocket in _POCKETS and component == "main":
            found.setdefault(pocket, []).append(address)
    if "" not in found:
        raise UnknownArchiveError(
            f"apt on this machine has no archive of Debian {codename or '(unknown)'}: run this on a"
            " Debian whose sources name its own release"
        )
    mirror = (found.get("-updates") or found[""])[0]
    return Archive(
        mirror=mirror,
        pockets={"": mirror} | {name: found[name][0] for name in _POCKETS[1:] if name in found},
    )


def ways_of_apt(dump: str) -> str:
    """Return of apt's settings those that say how an archive is reached."""
    return "".join(f"{line}\n" for line in dump.splitlines() if _WAYS_OF_APT.match(line))


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """Return of an environment what package clients go by."""
    return {name: value for name, value in environment.items() if _PASSED_ON.fullmatch(name)}


def existing_paths(texts: Iterable[str]) -> tuple[Path, ...]:
    """Return the absolute paths that some settings name and that there are, each once."""
    named = (Path(found) for text in texts for found in _ABSOLUTE_PATH.findall(text))
    return tuple(dict.fromkeys(path for path in named if path.exists()))


def _codename() -> str:
    release = Path("/etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\S+)$", release, re.MULTILINE)
    return found[1] if found else ""


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
