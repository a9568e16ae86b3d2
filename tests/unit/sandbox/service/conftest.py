"""A service with three accounts whose devices only record what they get."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from gateway_worker.sandbox.service.devices import CompanionLink, DeviceRecord, Phone
from gateway_worker.sandbox.service.faults import StreamEnd
from gateway_worker.sandbox.service.mailbox import Mailbox
from gateway_worker.sandbox.service.pairing import PairCodeFinish, PairCodeHello
from gateway_worker.sandbox.service.service import Service
from gateway_worker.sandbox.signal.keys import PreKeyBundle, PublicPreKey, PublicSignedPreKey
from gateway_worker.sandbox.wire.jid import Jid, pn
from gateway_worker.sandbox.wire.node import Node

ANN, BOB, EVE = pn("111"), pn("222"), pn("333")


def bundle() -> PreKeyBundle:
    """Keys that nobody uses."""
    signed = PublicSignedPreKey(key_id=1, public=b"s" * 32, signature=b"x" * 64)
    return PreKeyBundle(registration_id=7, identity=b"i" * 32, signed=signed)


@dataclass(slots=True, eq=False)
class Recorder(Phone, CompanionLink):
    """A phone or a companion's link."""

    jid: Jid
    got: list[Node] = field(default_factory=list)
    ended: list[StreamEnd | None] = field(default_factory=list)
    hellos: list[PairCodeHello] = field(default_factory=list)

    def deliver(self, node: Node) -> None:
        """Keep a stanza."""
        self.got.append(node)

    def drop(self) -> None:
        """Note that the link was cut."""
        self.ended.append(None)

    def end(self, end: StreamEnd) -> None:
        """Note how the link ended."""
        self.ended.append(end)

    def pair_code_hello(self, hello: PairCodeHello) -> None:
        """Keep a hello."""
        self.hellos.append(hello)

    def pair_code_finish(self, finish: PairCodeFinish) -> None:
        """Never comes in these tests."""
        raise AssertionError(finish)

    def tags(self) -> list[str]:
        """What came, in order."""
        return [node.tag for node in self.got]


class Fixture:
    """The service and how tests reach into it."""

    def __init__(self) -> None:
        self.service = Service()
        self.phones: dict[Jid, Recorder] = {}
        for number in (ANN, BOB, EVE):
            account = self.service.accounts.register(
                number=number.user,
                push_name=f"name {number.user}",
                bundle=bundle(),
                prekeys=[PublicPreKey(key_id=n, public=bytes([n]) * 32) for n in range(3)],
            )
            self.phones[number] = Recorder(account.lid)
            account.switch_on(self.phones[number])

    def lid(self, number: Jid, device: int = 0) -> Jid:
        """The LID of an account's device."""
        return self.service.accounts.get(number).lid.with_device(device)

    def companion(self, number: Jid, *, online: bool = True) -> Recorder:
        """Add a companion without the ceremony."""
        account = self.service.accounts.get(number)
        device = account.next_device()
        account.last_device = device
        record = DeviceRecord(
            number=account.number.with_device(device),
            lid=account.lid.with_device(device),
            mailbox=Mailbox(confirms=True),
            bundle=bundle(),
            noise_public=b"n" * 32,
        )
        account.devices[device] = record
        link = Recorder(record.lid)
        if online:
            record.link = link
            record.mailbox.open(link)
        return link

    def record(self, device: Jid) -> DeviceRecord:
        """The service's record of a device."""
        return self.service.accounts.device(device)


@pytest.fixture
def world() -> Fixture:
    return Fixture()
