"""Whom a phone writes to: somebody, a group, or those who see its status."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway_worker.sandbox.phones.errors import UnknownRecipientError
from gateway_worker.sandbox.wire.jid import GROUP_SERVER, STATUS, Jid, lid, pn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A chat, and who reads what is written there.

    Attributes:
        chat: LID of an account, a group, or status.
        readers: the accounts; the writer's own reads in any case.
        ephemeral_seconds: after which time messages disappear, if it is a group's timer; 0: never.
    """

    chat: Jid
    readers: tuple[Account, ...]
    ephemeral_seconds: int = 0


class AddressBook:
    """How one account finds others: digits of a number, an address in text form, or a `Jid`."""

    def __init__(self, *, service: Service, account: Account) -> None:
        self._service = service
        self._account = account

    def find(self, address: str | Jid) -> Account:
        """Return who has a number or an address.

        Raises:
            UnknownRecipientError: nobody is.
        """
        account = self._service.accounts.find(address_of(address))
        if account is None:
            raise UnknownRecipientError("nobody is registered under this address")
        return account

    def recipient(self, address: str | Jid) -> Recipient:
        """Return the chat at an address; of a group it need not be a member.

        Raises:
            UnknownRecipientError: nobody is there, or it is no group.
        """
        jid = address_of(address)
        if jid == STATUS:
            return Recipient(chat=jid, readers=tuple(self._audience()))
        if jid.server == GROUP_SERVER:
            group = self._service.groups.find(jid)
            if group is None:
                raise UnknownRecipientError("there is no group with this address")
            timer = group.ephemeral_seconds
            return Recipient(chat=jid, readers=group.members, ephemeral_seconds=timer)
        account = self.find(jid)
        return Recipient(chat=account.lid, readers=(account,))

    def _audience(self) -> Iterator[Account]:
        """Yield who sees the status: who was chosen, or all with whom messages were exchanged."""
        accounts, chosen = self._service.accounts, self._account.status_audience
        if chosen is None:
            chosen = tuple(map(lid, sorted(self._account.chats)))
        yield from (one for address in chosen if (one := accounts.find(address)) is not None)


def address_of(value: str | Jid) -> Jid:
    """Read a recipient: digits of a phone number, an address in text form, or an address."""
    if isinstance(value, Jid):
        return value
    return Jid.parse(value) if "@" in value else pn(value.removeprefix("+"))
