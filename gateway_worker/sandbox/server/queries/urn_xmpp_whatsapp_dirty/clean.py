"""The companion has seen what was marked as changed."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer, accept

ANSWERS: Final = (Answer(xmlns="urn:xmpp:whatsapp:dirty", type="set", child=ANY, run=accept),)
