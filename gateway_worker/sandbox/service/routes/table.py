"""Which route leads to which address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_worker.sandbox.service.routes.channel import ChannelRoute
from gateway_worker.sandbox.service.routes.direct import DirectRoute
from gateway_worker.sandbox.service.routes.group import GroupRoute
from gateway_worker.sandbox.service.routes.nowhere import NowhereRoute
from gateway_worker.sandbox.service.routes.status import StatusRoute
from gateway_worker.sandbox.wire.jid import (
    BROADCAST_SERVER,
    CHANNEL_SERVER,
    GROUP_SERVER,
    LID_SERVER,
    PN_SERVER,
)

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Accounts
    from gateway_worker.sandbox.service.channels import Channels
    from gateway_worker.sandbox.service.fault_book import FaultBook
    from gateway_worker.sandbox.service.groups.groups import Groups
    from gateway_worker.sandbox.service.routes.route import Route
    from gateway_worker.sandbox.wire.jid import Jid


class RouteTable:
    """The routes, by the server part of an address."""

    def __init__(
        self, *, accounts: Accounts, groups: Groups, channels: Channels, faults: FaultBook
    ) -> None:
        """Work on the service's accounts, groups and channels; rules say what goes wrong."""
        direct = DirectRoute(accounts=accounts, faults=faults)
        self._routes: dict[str, Route] = {
            PN_SERVER: direct,
            LID_SERVER: direct,
            GROUP_SERVER: GroupRoute(accounts=accounts, groups=groups, faults=faults),
            BROADCAST_SERVER: StatusRoute(accounts=accounts, faults=faults),
            CHANNEL_SERVER: ChannelRoute(accounts=accounts, channels=channels),
        }
        self._nowhere: Route = NowhereRoute()

    def to(self, address: Jid) -> Route:
        """Return the route to an address."""
        return self._routes.get(address.server, self._nowhere)
