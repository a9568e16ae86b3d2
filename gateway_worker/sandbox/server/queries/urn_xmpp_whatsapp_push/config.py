"""How a device wants to be notified; nobody is."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer, accept

ANSWERS: Final = (Answer(xmlns="urn:xmpp:whatsapp:push", type="set", child=ANY, run=accept),)
