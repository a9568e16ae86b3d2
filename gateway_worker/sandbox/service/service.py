"""The service in one object: its parts, each for those who need it."""

from __future__ import annotations

from gateway_worker.sandbox.service.accounts import Accounts
from gateway_worker.sandbox.service.connections import Connections
from gateway_worker.sandbox.service.fault_book import FaultBook
from gateway_worker.sandbox.service.keys import PublishedKeys
from gateway_worker.sandbox.service.linking import CompanionLinking
from gateway_worker.sandbox.service.relay import StanzaRelay


class Service:
    """What the service knows and does. Belongs to one event loop and must be called from it.

    Attributes:
        accounts: who exists, with which devices.
        faults: what shall go wrong.
        keys: what devices have published.
        relay: stanzas between devices.
        linking: companions joining and leaving.
        connections: companions' connections, from outside.
    """

    def __init__(self) -> None:
        """Start with no account."""
        self.accounts = Accounts()
        self.faults = FaultBook(accounts=self.accounts)
        self.keys = PublishedKeys(accounts=self.accounts, faults=self.faults)
        self.relay = StanzaRelay(accounts=self.accounts, faults=self.faults)
        self.linking = CompanionLinking(accounts=self.accounts)
        self.connections = Connections(accounts=self.accounts)
