"""Which function answers which query, by namespace and type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gateway_worker.sandbox.server.queries import account, keys, usync

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway_worker.sandbox.server.session import Query

QUERIES: Final[Mapping[tuple[str, str], Query]] = {
    ("encrypt", "get"): keys.get_keys,
    ("encrypt", "set"): keys.set_keys,
    ("usync", "get"): usync.get_users,
    ("passive", "set"): account.set_passive,
    ("w:p", "get"): account.ping,
    ("md", "set"): account.set_multidevice,
    ("privacy", "get"): account.get_privacy,
    ("privacy", "set"): account.set_privacy,
    ("blocklist", "get"): account.get_blocklist,
    ("blocklist", "set"): account.set_blocklist,
    ("w:sync:app:state", "set"): account.get_app_state,
    ("w:profile:picture", "get"): account.get_picture,
    ("w", "get"): account.get_properties,
    ("abt", "get"): account.get_properties,
    ("urn:xmpp:whatsapp:dirty", "set"): account.empty,
    ("urn:xmpp:whatsapp:push", "set"): account.empty,
    ("w:stats", "set"): account.empty,
}
