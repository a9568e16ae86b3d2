"""A directory with a bare Debian in it, and commands that run there.

Everything that is mounted or started for it lives in namespaces that end with their first process.
So nothing is left of them when a run ends, however it ends, and removing the directory can never
reach through a mount into the machine.
"""

import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway_worker.devkit.fresh.machine import Machine

CHECKOUT: Final = Path("/srv/gateway-worker")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NAMESPACES: Final = (
    *("unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child"),
    *("--propagation", "private", "--"),
)
_HOSTS: Final = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
_WITH_A_CHECKOUT: Final = "ca-certificates,git"
"""What whoever has cloned a repository has."""
_REMOVALS: Final = 10
_KEPT_IN_A_CHECKOUT: Final = frozenset({".data", ".venv"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """One root.

    Attributes:
        directory: Where it is.
        suite: Debian's release, by name.
        machine: How packages are reached.
    """

    directory: Path
    suite: str
    machine: Machine

    def make(self) -> None:
        """Install the release's smallest system, unless that was done before.

        Raises:
            CalledProcessError: debootstrap failed; it has said why.
        """
        if (self.directory / "usr/bin/git").exists():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        debootstrap = [
            *("debootstrap", "--variant=minbase", f"--include={_WITH_A_CHECKOUT}"),
            *(self.suite, str(self.directory), self.machine.archive.mirror),
        ]
        environment = {"PATH": _PATH, **self.machine.environment}
        _run([*_NAMESPACES, *debootstrap], environment=environment)

    def set_up(self) -> None:
        """Let package clients in the root go the machine's own ways."""
        etc = self.directory / "etc"
        (etc / "apt/sources.list").write_text(self.machine.archive.sources(self.suite))
        (etc / "apt/apt.conf.d/99machine").write_text(self.machine.apt_settings)
        (etc / "hosts").write_text(_HOSTS)
        shutil.copyfile("/etc/resolv.conf", etc / "resolv.conf")
        for path in self.machine.files:
            copy = self.inside(path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)

    def bring(self, checkout: Path) -> None:
        """Copy what git knows or would add; the environment and the data of an earlier run stay."""
        target = self.inside(CHECKOUT)
        target.mkdir(parents=True, exist_ok=True)
        for old in target.iterdir():
            if old.name not in _KEPT_IN_A_CHECKOUT:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listing, cwd=checkout, check=True, capture_output=True).stdout
        for name in filter(None, names.decode().split("\0")):
            if (checkout / name).is_file():  # one that is deleted is still listed
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(checkout / name, target / name)
        for command in (["init", "--quiet"], ["add", "--all"]):
            subprocess.run(["git", "-C", str(target), *command], check=True)

    def run(self, command: Sequence[str]) -> int:
        """Run a command in the root's checkout; return its exit status."""
        inner = f"cd {CHECKOUT} && exec {shlex.join(command)}"
        script = [
            f"mount -t proc proc {self._quoted('proc')}",
            f"mount --rbind /sys {self._quoted('sys')}",
            f"mount --rbind /dev {self._quoted('dev')}",
            f"mount -t tmpfs tmpfs {self._quoted('dev/shm')}",
            *(self._mount(path) for path in self.machine.directories),
            # A child of this shell: as the first process of its namespace that collects orphans
            shlex.join(["chroot", str(self.directory), "sh", "-c", inner]),
        ]
        environment = {"PATH": _PATH, "HOME": str(Path.home()), "LANG": "C.UTF-8"}
        environment |= self.machine.environment
        return _run(
            [*_NAMESPACES, "sh", "-ec", "\n".join([*script, "exit"])],
            environment=environment,
            check=False,
        )

    def inside(self, path: Path) -> Path:
        """Return where an absolute path of the root is on the machine."""
        return self.directory / path.relative_to("/")

    def _mount(self, path: Path) -> str:
        self.inside(path).mkdir(parents=True, exist_ok=True)
        return shlex.join(["mount", "--bind", "-o", "ro", str(path), str(self.inside(path))])

    def _quoted(self, name: str) -> str:
        return shlex.quote(str(self.directory / name))


def remove(directory: Path) -> None:
    """Remove a root. Processes that ended a moment ago may still have been writing into it."""
    for _ in range(_REMOVALS):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return


def _run(command: Sequence[str], *, environment: dict[str, str], check: bool = True) -> int:
    """Run to the end; whatever interrupts that ends the namespaces first."""
    with subprocess.Popen(command, env=environment) as process:
        try:
            status = process.wait()
        except BaseException:
            process.kill()
            raise
    if check and status != 0:
        raise subprocess.CalledProcessError(status, command)
    return status
