"""Faults in short: what shall go wrong for one account or device, as counts.

Each field stands for a rule (see `rules`), which can say more: about whom, when, how long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

ALWAYS: Final = 1 << 30
"""A count that never runs out in practice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailure:
    """The answer to a login that is refused.

    Attributes:
        reason: 401 logged out, 402 temporarily banned, 403 main device gone, 405 client outdated,
            406 unknown logout, 409 bad user agent, 500 internal error, 503 unavailable; any other
            number is one that clients do not know.
        times: how many logins are refused.
        ban_code: for 402, the kind of ban: 101 to 104 and 106 are known, any other is not.
        expire_seconds: for 402, how long it lasts.
    """

    reason: int
    times: int = ALWAYS
    ban_code: int = 101
    expire_seconds: int = 3600


class RefusalShape(Enum):
    """How a query is refused.

    `WHOLE`: by an error in the place of an answer. `EACH`: it is answered, with an error in the
    place of what was asked about each user. `OMITTED`: it is answered as if these users had not
    been asked about. `SILENT`: it is not answered at all.
    """

    SILENT = "silent"
    WHOLE = "whole"
    EACH = "each"
    OMITTED = "omitted"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRefusal:
    """Queries that the service refuses.

    Attributes:
        query: their namespace, and after a slash a word that they must contain: the tag of an
            element, or the mode or context of a look-up. `encrypt/key` asks for others' keys,
            `usync/contact` who has a number, `usync/lid` for the LID of a number, `usync/message`
            for devices, `w:g2/query` about a group.
        status: 429 too many, 403 forbidden, 404 not found, 406 not acceptable, 503 unavailable, …
        times: how many are refused.
        about: only those that name this number, LID or group (its digits), and of a query about
            several users only that one.
        shape: how.
        backoff_seconds: how long the service wants to be left alone, if it says so.
    """

    query: str
    status: int = 429
    times: int = ALWAYS
    about: str | None = None
    shape: RefusalShape = RefusalShape.WHOLE
    backoff_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong for one device, or for all companions of an account: rules in short.

    Counts say how often a fault applies before it is over; 0 is never, `ALWAYS` is for good.

    Attributes:
        login_failure: refuse logins.
        drop_logins: logins that are cut without an answer.
        missing_acks: messages of this device that are relayed and not acked.
        error_acks: messages of this device that reach nobody and are acked with `ack_error`.
        ack_error: the code for `error_acks`.
        ack_delay_seconds: wait before each ack to a message of this device.
        lost_receipts: receipts sent by this device that vanish; what they confirm is sent again.
            Those that ask for a message again confirm nothing, and come through.
        garbled: messages to this device whose ciphertext is damaged on the way.
        altered: messages to this device whose attributes are replaced by `alterations`.
        alterations: for `altered`: attributes of the stanza by name, such as `t` or `id`.
        no_response: pings and queries of this device that stay unanswered.
        unregistered: looked up by others, the account has no LID and no devices.
        no_bundles: nobody can fetch this device's keys.
        passkey: companions that its phone links are asked for a passkey instead of being linked.
        silent: connections that are logged in stay, and nothing passes them, either way.
        refused_queries: queries of this device that are refused; of several that fit, the first
            that is not used up applies.
    """

    login_failure: LoginFailure | None = None
    drop_logins: int = 0
    missing_acks: int = 0
    error_acks: int = 0
    ack_error: int = 479
    ack_delay_seconds: float = 0.0
    lost_receipts: int = 0
    garbled: int = 0
    altered: int = 0
    alterations: Mapping[str, str] = field(default_factory=dict)
    no_response: int = 0
    unregistered: bool = False
    no_bundles: bool = False
    passkey: bool = False
    silent: bool = False
    refused_queries: tuple[QueryRefusal, ...] = ()


NO_FAULTS: Final = Faults()


class StreamEnd(Enum):
    """How the server may end a connection that is logged in."""

    RESTART = "515"
    INTERNAL = "500"
    UNAVAILABLE = "503"
    REPLACED = "replaced"
    DEVICE_REMOVED = "device_removed"
