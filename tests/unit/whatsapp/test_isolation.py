"""The worker never loads the library, and a host never loads the worker."""

import subprocess
import sys

WORKER = """
import sys
import gateway_worker.whatsapp.launcher, gateway_worker.runtime.memory
bad = [name for name in sys.modules if name.split(".")[0] in ("neonize", "magic", "PIL")]
bad += [name for name in sys.modules if name.startswith("gateway_worker.whatsapp.host")]
assert not bad, bad
assert not any("neonize" in line for line in open("/proc/self/maps"))
"""

HOST = """
import sys
from gateway_worker.whatsapp.host.preload import preload
deferred = preload()
import gateway_worker.whatsapp.host.run, gateway_worker.whatsapp.host.zygote
ours = {name for name in sys.modules if name.startswith("gateway_worker")}
allowed = ("gateway_worker.whatsapp", "gateway_worker.host_protocol")
allowed += ("gateway_worker.runtime.forking", "gateway_worker.runtime.seccomp")
shared = {"gateway_worker", "gateway_worker.runtime", "gateway_worker.runtime.confinement"}
shared |= {"gateway_worker.runtime.memory", "gateway_worker.runtime.lease_clock"}
assert all(name in shared or name.startswith(allowed) for name in ours), ours
assert "gateway_worker.runtime.forking.client" not in ours
assert not {"pydantic", "structlog", "gateway_contracts"} & set(sys.modules)
from gateway_worker.whatsapp.host.unused_packages import UNUSED
assert not set(UNUSED) & set(sys.modules)
assert not any("neonize" in line and ".so" in line for line in open("/proc/self/maps"))
from gateway_worker.runtime.forking.kernel import count_threads
assert count_threads() == 1
"""

UNUSED = """
import sys
from gateway_worker.whatsapp.host.preload import preload
preload()
import neonize.client, neonize.utils
from gateway_worker.whatsapp.host.unused_packages import UNUSED
assert "+1 202-555-0100" in neonize.utils.gen_vcard("Ada", "12025550100")
image = neonize.client.Image.new("RGB", (1, 1))
assert isinstance(image, neonize.utils.calc.Image.Image)
with neonize.client.ProcessPoolExecutor(max_workers=1):
    pass
import PIL, requests
assert sys.modules["PIL"] is PIL and PIL.__version__ and requests.get
"""


def test_the_worker_does_not_import_the_library() -> None:
    """Neither neonize nor anything that only neonize needs, nor the hosts' code."""
    subprocess.run([sys.executable, "-c", WORKER], check=True)


def test_the_fork_server_has_one_thread_and_no_native_library() -> None:
    """Otherwise nothing could be forked from it; and it has nothing of the worker's."""
    subprocess.run([sys.executable, "-c", HOST], check=True)


def test_what_the_library_imports_and_hosts_do_not_use_is_there_when_it_is_used() -> None:
    """Functions, modules within packages, classes for `isinstance`, and packages as a whole."""
    subprocess.run([sys.executable, "-c", UNUSED], check=True)
