"""`gateway-worker demo`: a whole WhatsApp conversation through the real gateway on one machine.

`harness` brings up services, sandbox, worker and backend; `story` is the conversation; `terminal`
is what the spectator sees.
"""

from gateway_worker.devkit.demo.command import add_arguments, main

__all__ = ["add_arguments", "main"]
