"""The companion makes members admins."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.server.queries.w_g2._about import members_change
from gateway_worker.sandbox.service.groups.groups import Groups

ANSWERS: Final = (members_change("promote", Groups.promote),)
