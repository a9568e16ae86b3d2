"""The version of this worker, as installed, or as the checkout says."""

from importlib.metadata import PackageNotFoundError, version


def _version() -> str:
    try:
        return version("gateway-worker")
    except PackageNotFoundError:  # run from a checkout that nobody has installed
        return "0.1.0"


VERSION = _version()
"""As in `gateway-worker --version` and in heartbeats."""
