"""`python -m gateway_worker`: the same as the command `gateway-worker`."""

import sys

from gateway_worker.cli import main

if __name__ == "__main__":
    sys.exit(main())
