"""The session itself."""

from collections.abc import Mapping
from typing import Any, Final

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.methods import Done, Logout
from gateway_worker.whatsapp.host.methods.run import Run, Tools, ask


def logout(tools: Tools, _request: Request, _call: Logout) -> Done:
    """Unlink the device."""
    ask(tools.library.logout, "the logout")
    return Done()


RUNS: Final[Mapping[type[Any], Run]] = {Logout: logout}
