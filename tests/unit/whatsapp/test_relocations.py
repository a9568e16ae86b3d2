"""What hosts share of the native library, in processes that may load it."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

RECORD = """
import os
from pathlib import Path
from gateway_worker.whatsapp.host import relocations
from gateway_worker.whatsapp.host.preload import preload

deferred = preload()
"""
LOAD = """
deferred.record()
if os.fork() == 0:
    status = 1
    try:
        {before}
        deferred.load()
        assert deferred.resolve("GetVersion") is not None
        shared = [
            line for line in Path("/proc/self/maps").read_text().splitlines()
            if "memfd:relocations" in line and "r--p" in line
        ]
        assert len(shared) == {shared}, shared
        status = 0
    finally:
        os._exit(status)
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


ROOT = """
from gateway_worker.whatsapp.host.root_key import install_root

deferred.load()
install_root(deferred.path, bytes(32))
try:
    install_root(deferred.path, bytes(32))
except Exception as error:
    assert type(error).__name__ == "RootKeyError", error
else:
    raise AssertionError("the published root is still there")
"""


def run(program: str, *, packages: Path | None = None) -> None:
    """Run a program, with packages from another place if one is given; raises if it fails."""
    environment = dict(os.environ)
    if packages is not None:
        environment["PYTHONPATH"] = f"{packages}:{Path(__file__).parents[3]}"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, env=environment)


def test_a_host_maps_what_was_recorded() -> None:
    """Instead of the pages that the dynamic linker has just written for it alone."""
    run(RECORD + LOAD.format(before="pass", shared=1))


@pytest.fixture(params=["link", "link to a link", "dots"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the environment's packages by a name that is not the one the kernel knows."""
    packages = Path(sysconfig.get_path("purelib"))
    if request.param == "dots":
        return packages / ".." / packages.name
    (tmp_path / "first").symlink_to(packages)
    (tmp_path / "second").symlink_to("first")
    return tmp_path / ("first" if request.param == "link" else "second")


def test_a_library_behind_a_link_is_shared(elsewhere: Path) -> None:
    """An environment may be a link: the kernel lists what is mapped by its true name."""
    run(RECORD + LOAD.format(before="pass", shared=1), packages=elsewhere)


def test_a_library_behind_a_link_takes_another_root(elsewhere: Path) -> None:
    """Without that no session connects to a sandbox."""
    run(RECORD + ROOT, packages=elsewhere)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("deferred._relocations._reserved = 0", id="address"),
        pytest.param(
            "constants_of = relocations.constants_of;"
            "relocations.constants_of = lambda path: (constants_of(path)[0], 0)",
            id="size",
        ),
    ],
)
def test_a_library_that_is_loaded_otherwise_keeps_its_own(before: str) -> None:
    """What was recorded is true for one address only."""
    run(RECORD + LOAD.format(before=before, shared=0))


def test_what_differs_is_not_shared() -> None:
    """One byte is enough."""
    damage = "descriptor = os.memfd_create('x');"
    damage += "old = deferred._relocations._descriptor;"
    damage += "os.sendfile(descriptor, old, 0, os.fstat(old).st_size);"
    damage += "os.pwrite(descriptor, bytes([os.pread(old, 1, 99)[0] ^ 1]), 99);"
    damage += "os.dup2(descriptor, old)"
    run(RECORD + LOAD.format(before=damage, shared=0))
