"""The hosts' fork server.

`python -m gateway_worker.whatsapp.host.zygote SOCKET LEASE PARENT SECONDS`

Nothing is imported after the fork. The native library reads the environment that was there at
`exec`, so the worker sets it when it starts this program.
"""

import importlib
import sys
from pathlib import Path

from gateway_worker.runtime.confinement import prepare
from gateway_worker.runtime.forking.kernel import reap_children
from gateway_worker.runtime.forking.server import begin, serve
from gateway_worker.whatsapp.host.heap import fill_holes
from gateway_worker.whatsapp.host.preload import preload


def main() -> None:
    """Import everything, then serve."""
    given = begin(sys.argv[1:], name="wa-zygote")
    deferred = preload()
    run = importlib.import_module("gateway_worker.whatsapp.host.run")  # imports neonize: not before
    reap_children()  # importing neonize runs `uname` in a shell and does not wait for its end
    prepare(str(Path(deferred.path).parent))
    deferred.record()
    fill_holes()
    serve(given, lambda sock: run.run_host(sock, deferred))


if __name__ == "__main__":
    main()
