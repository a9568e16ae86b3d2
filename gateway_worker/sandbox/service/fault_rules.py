"""Faults as data: at which point of the service what shall go wrong, for whom, and how often.

A rule has an id, so that several scripts can add and remove theirs without touching each other's.
The same values are the JSON of the control API.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from gateway_worker.sandbox.service.faults import RefusalShape


class Point(StrEnum):
    """Where a rule is asked; whose rule it is, is said for each.

    `LOGIN`: a companion logs in. `MESSAGE`: a device sends a message. `ACK`: it is about to get the
    ack for one. `RECEIPT`: it sends a receipt. `DELIVERY`: a message is about to be delivered to
    it. `IQ`: it asks something. `BUNDLE`: somebody fetches its keys. `LOOKUP`: somebody looks its
    account up. `MEDIA_PUT`: it uploads a file. `MEDIA_GET`: a companion downloads a file that
    it has uploaded (the hosts do not ask who downloads). `PAIRING`: its phone links a companion.
    `STANZA`: it sends or gets anything at all, once it is logged in.
    """

    LOGIN = "login"
    MESSAGE = "message"
    ACK = "ack"
    RECEIPT = "receipt"
    DELIVERY = "delivery"
    IQ = "iq"
    BUNDLE = "bundle"
    LOOKUP = "lookup"
    MEDIA_PUT = "media_put"
    MEDIA_GET = "media_get"
    PAIRING = "pairing"
    STANZA = "stanza"


class Value(BaseModel):
    """Base of what a rule consists of; unknown fields are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Drop(Value):
    """It vanishes: a login is cut, a message reaches nobody (and is acked), an answer never comes.

    Keys that are dropped are missing among those that were fetched, an account is not found. The
    connection of an upload or a download is cut before anything is answered.
    """

    kind: Literal["drop"] = "drop"


class Error(Value):
    """It is refused: a query, a message, which then reaches nobody, an upload or a download.

    Attributes:
        code: 429 too many, 403 forbidden, 404 not found, 406 not acceptable, 503 unavailable, …
        shape: for a query, how.
        backoff_seconds: for a query and for files, how long the service wants to be left alone, if
            it says so (`Retry-After`).
    """

    kind: Literal["error"] = "error"
    code: int = Field(ge=400, le=599)
    shape: RefusalShape = RefusalShape.WHOLE
    backoff_seconds: int | None = Field(default=None, ge=0)


class Failure(Value):
    """A login is refused; the fields are those of `faults.LoginFailure`."""

    kind: Literal["failure"] = "failure"
    reason: int = Field(ge=400, le=599)
    ban_code: int = 101
    expire_seconds: int = 3600


class Delay(Value):
    """An ack, the answer to a query, an upload or a download is late; other stanzas pass it."""

    kind: Literal["delay"] = "delay"
    seconds: float = Field(ge=0)


class Corrupt(Value):
    """The ciphertext of a message, or of a file, is damaged on the way: a bit is flipped.

    A file that is damaged when it is uploaded stays so.
    """

    kind: Literal["corrupt"] = "corrupt"


class Alter(Value):
    """Attributes of a message are replaced on the way, such as `t` or `id`."""

    kind: Literal["alter"] = "alter"
    attrs: Mapping[str, str]


class Slow(Value):
    """The bytes of a file come and go at this speed."""

    kind: Literal["slow"] = "slow"
    bytes_per_second: int = Field(ge=1)


class Cut(Value):
    """The connection is cut when half of a file has passed."""

    kind: Literal["cut"] = "cut"


class Truncate(Value):
    """A file's end is missing, and nothing tells of it; one that is uploaded so stays so.

    Attributes:
        keep_bytes: what is left; None is half of it.
    """

    kind: Literal["truncate"] = "truncate"
    keep_bytes: int | None = Field(default=None, ge=0)


class Expire(Value):
    """A file is gone for good: 410, for this download or after this upload."""

    kind: Literal["expire"] = "expire"


class Blank(Value):
    """An upload is taken, and answered with 200 and nothing that says where the file is.

    Of an account that is looked up the answer says nothing at all.
    """

    kind: Literal["blank"] = "blank"


class Passkey(Value):
    """A companion that is being linked is asked for the account's passkey, and is not linked."""

    kind: Literal["passkey"] = "passkey"


class Silence(Value):
    """It vanishes, whichever way it goes, and the connection stays as it is."""

    kind: Literal["silence"] = "silence"


Effect = Annotated[
    Drop
    | Error
    | Failure
    | Delay
    | Corrupt
    | Alter
    | Slow
    | Cut
    | Truncate
    | Expire
    | Blank
    | Passkey
    | Silence,
    Field(discriminator="kind"),
]

_OF_FILES: Final = (Drop, Error, Delay, Slow, Cut, Truncate, Corrupt, Expire)

EFFECTS: Final[Mapping[Point, tuple[type[Value], ...]]] = {
    Point.LOGIN: (Drop, Failure),
    Point.MESSAGE: (Drop, Error),
    Point.ACK: (Drop, Delay),
    Point.RECEIPT: (Drop,),
    Point.DELIVERY: (Corrupt, Alter),
    Point.IQ: (Drop, Error, Delay),
    Point.BUNDLE: (Drop,),
    Point.LOOKUP: (Drop, Blank),
    Point.MEDIA_PUT: (*_OF_FILES, Blank),
    Point.MEDIA_GET: _OF_FILES,
    Point.PAIRING: (Passkey,),
    Point.STANZA: (Silence,),
}
"""What can happen at which point."""


class Who(Value):
    """Whose stanzas a rule is about.

    Attributes:
        number: digits of the account's phone number.
        device: one device, 0 being the phone; None is every companion, and not the phone (but at
            `LOOKUP` and `MEDIA_GET` the whole account).
    """

    number: str = Field(pattern=r"^[0-9]{1,15}$")
    device: int | None = Field(default=None, ge=0, le=255)


class Match(Value):
    """Which stanzas a rule is about; what is not given fits all.

    Attributes:
        query: the namespace, and after a slash a word that the query must contain: the tag of an
            element, or the mode or context of a look-up. `encrypt/key` asks for others' keys,
            `usync/contact` who has a number, `usync/message` for devices.
        about: a number, a LID or a group (its digits) that the stanza names: in a query anywhere,
            otherwise as its receiver, its sender or its chat.
        attrs: attributes that the stanza has with these values, such as a receipt's `type`. A file
            has a `type` (`image`, `video`, `audio`, `document`, …) and a `place`, which is its
            direct path up to the question mark.
        has: tags of elements that the stanza holds. A message to somebody who gave the sender a
            privacy token holds `tctoken`.
        lacks: tags of elements that it does not hold.
    """

    query: str | None = Field(default=None, min_length=1)
    about: str | None = Field(default=None, min_length=1)
    attrs: Mapping[str, str] = Field(default_factory=dict)
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()


class Rule(Value):
    """One fault.

    Attributes:
        id: names the rule; a rule added under a known id takes that one's place.
        point: where it is asked.
        who: whose stanzas; None is everybody's companions.
        match: which of them.
        effect: what happens; of several rules for one point and effect the first that fits applies.
        times: how often; None is for good.
        after: how many that fit are let through before it applies.
        until: the moment from which on it applies no more.
    """

    id: str = Field(min_length=1, pattern=r"^[^/]+$")
    point: Point
    who: Who | None = None
    match: Match = Match()
    effect: Effect
    times: int | None = Field(default=None, ge=0)
    after: int = Field(default=0, ge=0)
    until: AwareDatetime | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Rule:
        if type(self.effect) not in EFFECTS[self.point]:
            raise ValueError(f"at {self.point} there is no effect {self.effect.kind}")
        if self.match.query is not None and self.point is not Point.IQ:
            raise ValueError("only at iq is there a query to match")
        return self
