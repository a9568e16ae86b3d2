"""The service in one object: its parts, each for those who need it."""

from __future__ import annotations

from gateway_worker.sandbox.service.accounts import Accounts
from gateway_worker.sandbox.service.calls import Calls
from gateway_worker.sandbox.service.channels import Channels
from gateway_worker.sandbox.service.connections import Connections
from gateway_worker.sandbox.service.fault_book import FaultBook
from gateway_worker.sandbox.service.groups.groups import Groups
from gateway_worker.sandbox.service.keys import PublishedKeys
from gateway_worker.sandbox.service.linking import CompanionLinking
from gateway_worker.sandbox.service.media.media import Media
from gateway_worker.sandbox.service.media.store import (
    DEFAULT_LIFETIME_SECONDS,
    DEFAULT_TOTAL_BYTES,
)
from gateway_worker.sandbox.service.relay import StanzaRelay


class Service:
    """What the service knows and does. Belongs to one event loop and must be called from it.

    Attributes:
        accounts: who exists, with which devices.
        groups: who is in which group.
        channels: where somebody posts and others follow.
        faults: what shall go wrong.
        keys: what devices have published.
        calls: calls that phones place.
        relay: stanzas between devices.
        linking: companions joining and leaving.
        connections: companions' connections, from outside.
        media: files that devices upload and download.
    """

    def __init__(
        self,
        *,
        media_bytes: int = DEFAULT_TOTAL_BYTES,
        media_seconds: float = DEFAULT_LIFETIME_SECONDS,
    ) -> None:
        """Start with no account.

        Args:
            media_bytes: how much of uploaded files is kept; beyond that, the oldest go.
            media_seconds: how long one is kept.
        """
        self.accounts = Accounts()
        self.channels = Channels()
        self.faults = FaultBook(accounts=self.accounts)
        self.keys = PublishedKeys(accounts=self.accounts, faults=self.faults)
        self.groups = Groups(accounts=self.accounts)
        self.calls = Calls()
        self.relay = StanzaRelay(
            accounts=self.accounts,
            groups=self.groups,
            channels=self.channels,
            faults=self.faults,
            calls=self.calls,
        )
        self.linking = CompanionLinking(accounts=self.accounts, faults=self.faults)
        self.connections = Connections(accounts=self.accounts)
        self.media = Media(
            accounts=self.accounts,
            faults=self.faults,
            total_bytes=media_bytes,
            lifetime_seconds=media_seconds,
        )
