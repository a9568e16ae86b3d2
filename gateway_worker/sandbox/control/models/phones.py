"""Phones, their companions, and what they do by themselves."""

from __future__ import annotations

from pydantic import Field

from gateway_worker.sandbox.control.models.base import Body


class NewPhone(Body):
    """Register an account; see `Sandbox.add_phone`."""

    number: str | None = Field(default=None, pattern=r"^[0-9]{1,15}$")
    push_name: str = ""
    lid: str | None = Field(default=None, pattern=r"^[0-9]{1,15}$")
    hides_number: bool = False


class CompanionView(Body):
    """A linked device of a phone."""

    device: int
    address: str
    online: bool
    pending: int = Field(description="stanzas that wait for its confirmation")
    prekeys: int = Field(description="one-time keys left on the server")
    logins: int


class PhoneView(Body):
    """A phone."""

    number: str
    lid: str
    push_name: str
    reused_keys: int = Field(description="see `Phone.reused_keys`")
    companions: tuple[CompanionView, ...]


class PhoneList(Body):
    """All phones, in the order in which they were added."""

    phones: tuple[PhoneView, ...]


class PhoneChange(Body):
    """Rename an account."""

    push_name: str


class Scan(Body):
    """The text of a QR."""

    qr: str


class EnterCode(Body):
    """The eight characters a companion shows."""

    code: str
    timeout_seconds: float = Field(default=10.0, ge=0, le=120)


class Linked(Body):
    """A companion after pairing."""

    device: int
    address: str
    number_address: str
    platform: str


class ScriptBody(Body):
    """What a phone does by itself from now on; replaces the script set before.

    Attributes:
        auto_read: read every message.
        auto_reply: answer every text; `{text}` and `{number}` stand for what came and from whom.
        quote: whether answers quote.
        after_seconds: pause before reading and answering.
    """

    auto_read: bool = False
    auto_reply: str | None = None
    quote: bool = False
    after_seconds: float = Field(default=0.0, ge=0, le=3600)
