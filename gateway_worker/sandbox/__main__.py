"""`python -m gateway_worker.sandbox`: the same as `gateway-worker sandbox`."""

from __future__ import annotations

import argparse
import sys

from gateway_worker.sandbox.cli import add_arguments, main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="gateway-worker sandbox")
    add_arguments(parser)
    sys.exit(main(parser.parse_args()))
