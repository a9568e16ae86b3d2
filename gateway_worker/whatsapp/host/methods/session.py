"""The session itself."""

from collections.abc import Mapping
from typing import Any, Final

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.methods.method import Done
from gateway_worker.host_protocol.methods.session import Configure, Heard, Listen, Logout, Probe
from gateway_worker.whatsapp.host.kernel import seconds_since_received
from gateway_worker.whatsapp.host.methods.run import Run, Tools, ask


def logout(tools: Tools, _request: Request, _call: Logout) -> Done:
    """Unlink the device."""
    ask(tools.library.logout, "the logout")
    return Done()


def listen(tools: Tools, _request: Request, _call: Listen) -> Heard:
    """Look at the connection; the kernel knows when something has come over it."""
    return Heard(seconds=seconds_since_received(), retries=tools.retries())


def probe(tools: Tools, _request: Request, _call: Probe) -> Done:
    """Have WhatsApp answer."""
    ask(tools.library.ask_anything, "the probe")
    return Done()


def configure(tools: Tools, _request: Request, call: Configure) -> Done:
    """Obey other settings."""
    tools.configure(call.settings)
    return Done()


RUNS: Final[Mapping[type[Any], Run]] = {
    Logout: logout,
    Listen: listen,
    Probe: probe,
    Configure: configure,
}
