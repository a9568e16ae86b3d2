"""Asks the worker in this container whether it lives: exit code 0 if so, else 1 and the reason.

Where it asks is what HEALTH_HOST and HEALTH_PORT say, as the worker reads them; an orchestrator
that sets them in another way (`SECRETS_DIR`) asks by itself. Only the standard library: it runs
every few seconds.
"""

import http.client
import os
import sys
from http import HTTPStatus
from typing import Final

TIMEOUT_SECONDS: Final = 4
_EVERYWHERE: Final = {"", "0.0.0.0", "::"}  # noqa: S104 - with IPv4 each; there may be no IPv6
_HERE: Final = "127.0.0.1"


def main() -> int:
    """Ask once."""
    host = os.environ.get("HEALTH_HOST", "").strip()
    port = int(os.environ.get("HEALTH_PORT", "").strip() or 8080)
    where = _HERE if host in _EVERYWHERE else host
    connection = http.client.HTTPConnection(where, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/live")
        response = connection.getresponse()
        body = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        body, status = f"{type(error).__name__}: {error}", 0
    else:
        status = response.status
    finally:
        connection.close()
    sys.stdout.write(f"{body}\n")
    return 0 if status == HTTPStatus.OK else 1


if __name__ == "__main__":
    sys.exit(main())
