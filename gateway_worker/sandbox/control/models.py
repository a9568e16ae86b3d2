"""Bodies of the control API: frozen, JSON, the same at both ends.

Time stamps are ISO 8601 in UTC. Addresses are in text form (`user:device@server`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, model_validator

from gateway_worker.sandbox.phones.values import ReceiptKind
from gateway_worker.sandbox.service.fault_rules import Rule
from gateway_worker.sandbox.service.faults import (
    ALWAYS,
    Faults,
    LoginFailure,
    QueryRefusal,
    RefusalShape,
    StreamEnd,
)
from gateway_worker.sandbox.wire.jid import PN_SERVER, Jid
from gateway_worker.sandbox.wire.node import Attrs, Node


class Body(BaseModel):
    """Base of all bodies; unknown fields are mistakes and are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NewPhone(Body):
    """Register an account; see `Sandbox.add_phone`."""

    number: str | None = Field(default=None, pattern=r"^[0-9]{1,15}$")
    push_name: str = ""
    lid: str | None = Field(default=None, pattern=r"^[0-9]{1,15}$")


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
    """The text behind a QR."""

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


class NewMessage(Body):
    """Send a text; see `Phone.send_text`."""

    to: str
    text: str
    reply_to: str | None = None
    mentions: tuple[str, ...] = ()


class NewContent(Body):
    """Send content of any kind; see `Phone.send_content`."""

    to: str
    content: dict[str, Any] = Field(description="the library's `Message` as protojson")
    reply_to: str | None = None
    mentions: tuple[str, ...] = ()


class ContentView(Body):
    """What is in a message that a phone sent or got, whatever its kind."""

    message_id: str
    kind: str
    content: dict[str, Any] = Field(description="the library's `Message` as protojson")


class Emoji(Body):
    """A reaction; empty takes it back."""

    emoji: str


class NewText(Body):
    """The text that replaces an earlier one."""

    text: str


class Sent(Body):
    """What became of a message."""

    message_id: str


class MessageIds(Body):
    """Messages to be confirmed."""

    message_ids: tuple[str, ...] = Field(min_length=1)


class Poll(Body):
    """The query of a long poll: from which position, and how many seconds to wait for news."""

    since: int = Field(default=0, ge=0)
    timeout_seconds: float = Field(default=0.0, ge=0, le=120)


class DeviceQuery(Body):
    """The query that picks one companion."""

    device: int | None = Field(default=None, ge=1, le=255)


class MessageView(Body):
    """A message as the phone shows it; see `phones.values.ChatMessage`."""

    message_id: str
    chat: str
    sender: str
    sender_number: str
    from_me: bool
    kind: str
    text: str
    quoted_id: str | None
    target_id: str | None
    mentions: tuple[str, ...]
    sent_at: datetime
    received_at: datetime
    asked_again: int


class ReceiptView(Body):
    """A receipt; see `phones.values.SeenReceipt`."""

    message_ids: tuple[str, ...]
    sender: str
    kind: ReceiptKind
    sent_at: datetime


class HandlingErrorView(Body):
    """Something the phone could not handle."""

    where: str
    error: str


class MessagePage(Body):
    """Messages from a position on; ask again with `next`."""

    items: tuple[MessageView, ...]
    next: int


class ReceiptPage(Body):
    """Receipts from a position on; ask again with `next`."""

    items: tuple[ReceiptView, ...]
    next: int


class HandlingErrorPage(Body):
    """What the phone could not handle, from a position on; ask again with `next`."""

    items: tuple[HandlingErrorView, ...]
    next: int


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


class LoginFailureBody(Body):
    """Refuse logins; see `service.faults.LoginFailure`."""

    reason: int = Field(ge=400, le=599)
    times: int = Field(default=ALWAYS, ge=1)
    ban_code: int = 101
    expire_seconds: int = 3600


class QueryRefusalBody(Body):
    """Refuse queries; see `service.faults.QueryRefusal`."""

    query: str = Field(min_length=1)
    status: int = Field(default=429, ge=400, le=599)
    times: int = Field(default=ALWAYS, ge=0)
    about: str | None = None
    shape: RefusalShape = RefusalShape.WHOLE
    backoff_seconds: int | None = Field(default=None, ge=0)


class FaultsBody(Body):
    """What shall go wrong; see `service.faults.Faults`."""

    login_failure: LoginFailureBody | None = None
    drop_logins: int = Field(default=0, ge=0)
    missing_acks: int = Field(default=0, ge=0)
    error_acks: int = Field(default=0, ge=0)
    ack_error: int = 479
    ack_delay_seconds: float = Field(default=0.0, ge=0)
    lost_receipts: int = Field(default=0, ge=0)
    no_response: int = Field(default=0, ge=0)
    garbled: int = Field(default=0, ge=0)
    altered: int = Field(default=0, ge=0)
    alterations: dict[str, str] = Field(default_factory=dict)
    unregistered: bool = False
    no_bundles: bool = False
    refused_queries: tuple[QueryRefusalBody, ...] = ()

    @classmethod
    def of(cls, faults: Faults) -> FaultsBody:
        """Show the service's value."""
        return cls.model_validate(faults, from_attributes=True)

    def value(self) -> Faults:
        """Return the service's value."""
        fields = self.model_dump(exclude={"login_failure", "refused_queries"})
        failure = self.login_failure
        return Faults(
            login_failure=None if failure is None else LoginFailure(**failure.model_dump()),
            refused_queries=tuple(
                QueryRefusal(**refusal.model_dump()) for refusal in self.refused_queries
            ),
            **fields,
        )


class RuleView(Rule):
    """A fault rule in force, and how often it has applied."""

    applied: int = 0


class RuleList(Body):
    """All rules, in the order in which they were added."""

    rules: tuple[RuleView, ...]


class StanzaBody(Body):
    """Any stanza, as it stands; see `Connections.inject`.

    Attributes:
        attrs: an attribute with an `@` is an address, and so is `s.whatsapp.net`.
        text: what it holds, if no elements.
        data: likewise, as base64.
    """

    tag: str = Field(min_length=1)
    attrs: dict[str, str] = Field(default_factory=dict)
    children: tuple[StanzaBody, ...] = ()
    text: str | None = None
    data: Base64Bytes | None = None

    def value(self) -> Node:
        """Return the stanza."""
        attrs: Attrs = {name: _attribute(value) for name, value in self.attrs.items()}
        if self.text is not None:
            return Node(self.tag, attrs, self.text.encode())
        if self.data is not None:
            return Node(self.tag, attrs, self.data)
        return Node(self.tag, attrs, tuple(one.value() for one in self.children) or None)


def _attribute(value: str) -> str | Jid:
    return Jid.parse(value) if "@" in value or value == PN_SERVER else value


class Injection(StanzaBody):
    """A stanza for a phone's companions, or for one of them."""

    device: int | None = Field(default=None, ge=1)


class Push(StanzaBody):
    """A stanza of the service for a phone's companions, or for one device; 0 is the phone."""

    device: int | None = Field(default=None, ge=0)


class Pushed(Body):
    """How many devices have it or will get it."""

    devices: int


class EndStream(Body):
    """How connections end; without `stream` they are cut without a word."""

    stream: StreamEnd | None = None
    device: int | None = Field(default=None, ge=1)


class ServiceState(Body):
    """Whether the service can be reached at all."""

    reachable: bool


class Ended(Body):
    """How many connections there were."""

    connections: int


class EgressView(Body):
    """A request for another host, refused."""

    method: str
    target: str


class EgressList(Body):
    """All of them, oldest first."""

    attempts: tuple[EgressView, ...]


class Health(Body):
    """The sandbox is up."""

    status: Literal["ok"] = "ok"
    phones: int
    companions_online: int
    egress_attempts: int
    handling_errors: int


class WorkerEnv(Body):
    """The three settings that point a worker at this sandbox."""

    proxy_url: str
    ca_file: str
    root_key: str

    def env(self) -> dict[str, str]:
        """Return them under the names that the worker reads."""
        return {
            "SANDBOX_PROXY_URL": self.proxy_url,
            "SANDBOX_CA_FILE": self.ca_file,
            "SANDBOX_ROOT_KEY": self.root_key,
        }


class Ready(WorkerEnv):
    """The line that the command prints once everything listens."""

    control_url: str


class ProblemField(Body):
    """One mistake in a body."""

    pointer: str
    detail: str


class Problem(Body):
    """An error, RFC 9457; `errors` lists what is wrong with a body, by JSON pointer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str = ""
    errors: tuple[ProblemField, ...] = ()

    @model_validator(mode="after")
    def _is_an_error(self) -> Problem:
        if self.status < 400:  # noqa: PLR2004 - where HTTP's errors begin
            raise ValueError("a problem has an error status")
        return self
