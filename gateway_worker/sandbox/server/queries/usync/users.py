"""Who has a number or a LID, and with which devices.

An address has one spelling, the service's own; a contact is a number as people write it, and the
answer names the true address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries.answers import Answer
from gateway_worker.sandbox.server.queries.usync._business import certificate
from gateway_worker.sandbox.server.stanzas import result
from gateway_worker.sandbox.service.devices import PHONE
from gateway_worker.sandbox.service.fault_rules import Blank, Drop, Point
from gateway_worker.sandbox.wire.jid import pn
from gateway_worker.sandbox.wire.node import Attrs, Node

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.session import DeviceSession
    from gateway_worker.sandbox.service.accounts import Account


ECHOED: Final = ("sid", "index", "last", "mode", "context")


def get_users(session: DeviceSession, query: Node) -> Node | None:
    """Answer every asked protocol for every user of the list."""
    sync = query.require_child("usync")
    protocols = sync.require_child("query").children
    items = sync.require_child("list").all("user")
    users = tuple(user for item in items if (user := _user(session, protocols, item)))
    attrs: Attrs = {name: sync.attrs[name] for name in ECHOED if name in sync.attrs}
    answered = tuple(Node(protocol.tag) for protocol in protocols)
    content = (Node("result", {}, answered), Node("list", {}, users))
    return result(query, Node("usync", attrs, content))


def _user(session: DeviceSession, protocols: tuple[Node, ...], item: Node) -> Node | None:
    contact = item.child("contact")
    accounts = session.service.accounts
    address = item.jid("jid") or item.jid("lid")
    if address is None:
        digits = _contact_digits(contact)
        if digits is None:
            return None
        account = accounts.find_contact(digits)
        address = pn(digits) if account is None else account.number
    else:
        account = accounts.find(address)
    if account is not None and _is_passed_over(session, account):
        return None
    if account is not None and _is_hidden(session, account, by_lid=address.is_lid):
        account = None
    answers = [_answer(session, account, protocol.tag, contact) for protocol in protocols]
    attrs: Attrs = {"jid": address.account}
    if account is not None and (address.is_lid or _wants_lid(protocols)):
        attrs = {"jid": account.lid}
        if not account.hides_number:
            attrs["pn_jid"] = account.number
    return Node("user", attrs, tuple(answer for answer in answers if answer is not None))


def _wants_lid(protocols: tuple[Node, ...]) -> bool:
    return any(protocol.get("addressing_mode") == "lid" for protocol in protocols)


def _is_hidden(session: DeviceSession, account: Account, *, by_lid: bool) -> bool:
    """Tell whether somebody is not to be found: by a rule, or by a number that is hidden."""
    if account is session.account:
        return False
    if account.hides_number and not by_lid:
        return True
    return session.service.faults.consume(Point.LOOKUP, account.devices[PHONE], Drop) is not None


def _is_passed_over(session: DeviceSession, account: Account) -> bool:
    """Tell whether nothing is said of somebody, by a rule."""
    faults = session.service.faults
    return faults.consume(Point.LOOKUP, account.devices[PHONE], Blank) is not None


def _contact_digits(contact: Node | None) -> str | None:
    # Written as +49…, as 49… or as 49…@c.us.
    text = contact.data.decode(errors="replace") if contact else ""
    digits = text.partition("@")[0].lstrip("+")
    return digits if digits.isdigit() else None


def _answer(
    session: DeviceSession, account: Account | None, tag: str, contact: Node | None
) -> Node | None:
    if tag == "contact":
        kind = "out" if account is None else "in"
        return Node("contact", {"type": kind}, contact.data if contact else b"")
    if account is None:
        return None
    if tag == "lid":
        return Node("lid", {"val": account.lid})
    if tag == "devices":
        account.watchers.add(session.jid)
        return _devices(account)
    return _shown(session, account, tag)


def _shown(session: DeviceSession, account: Account, tag: str) -> Node | None:
    """Return what an account shows of itself to another one."""
    profile = account.profile
    is_own = account is session.account
    if tag == "status":
        about = profile.about if is_own or profile.privacy["status"] != "none" else ""
        return Node("status", {"t": "0"}, about.encode())
    if tag == "picture" and profile.picture_id and (is_own or not profile.hides_picture):
        return Node("picture", {"id": profile.picture_id})
    if tag == "business" and profile.verified_name:
        return Node("business", {}, (Node("verified_name", {}, certificate(profile)),))
    return None


def _devices(account: Account) -> Node:
    devices = []
    for number in sorted(account.devices):
        attrs: Attrs = {"id": str(number)}
        if number:
            attrs["key-index"] = str(number)
        devices.append(Node("device", attrs))
    return Node("devices", {}, (Node("device-list", {}, tuple(devices)),))


ANSWERS: Final = (Answer(xmlns="usync", type="get", child="usync", run=get_users),)
