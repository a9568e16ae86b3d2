"""Runs the worker on the sandbox (`python on_sandbox.py READY_FILE`, for compose.yaml).

The file is what `gateway-worker sandbox --ready-file` writes. Its directory is mounted here at
another place than there, so the certificate is looked for beside it.
"""

import json
import os
import sys
from pathlib import Path


def settings(ready_file: Path) -> dict[str, str]:
    """Return the worker's settings for the sandbox that has written the file."""
    ready = json.loads(ready_file.read_text())
    return {
        "SANDBOX_PROXY_URL": ready["proxy_url"],
        "SANDBOX_CA_FILE": str(ready_file.parent / Path(ready["ca_file"]).name),
        "SANDBOX_ROOT_KEY": ready["root_key"],
    }


def main() -> None:
    """Become the worker."""
    os.environ.update(settings(Path(sys.argv[1])))
    os.execvp("gateway-worker", ["gateway-worker", "run"])  # noqa: S606, S607 - the image's own


if __name__ == "__main__":
    main()
