"""`./dev ctl`: `gateway-worker ctl`, for the gateway that runs here."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway_worker.devkit.gateway.addresses import Addresses
from gateway_worker.devkit.services.errors import ServicesError

_DATA: Final = "--data"


def main(arguments: Sequence[str] | None = None) -> int:
    """Become that command; `--data DIRECTORY` in front says where the gateway is published."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    data = Path(".data")
    if words[:1] == [_DATA] and len(words) > 1:
        data, words = Path(words[1]), words[2:]
    try:
        addresses = Addresses.published_in(data)
    except ServicesError as error:
        print(f"ctl: {error}", file=sys.stderr)
        return 1
    environment = {**os.environ, "CTL_AMQP_URL": addresses.amqp_url}
    command = [sys.executable, "-m", "gateway_worker", "ctl", *words]
    os.execve(sys.executable, command, environment)  # noqa: S606 - no shell is wanted
    raise AssertionError("another program runs")


if __name__ == "__main__":
    sys.exit(main())
