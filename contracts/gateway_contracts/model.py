"""The base of every wire model: frozen, documented, tolerant of fields that it does not know."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, ClassVar, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    GetJsonSchemaHandler,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from gateway_contracts.marks import PERSONAL, Part
from gateway_contracts.tenants import TENANT_NAME


class WireModel(BaseModel):
    """A value on the wire.

    Unknown fields are ignored, so an older reader survives a newer writer.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


class OneOfModel(WireModel):
    """A value of which exactly one of some fields is given; its JSON Schema says so, too.

    Attributes:
        one_of: These fields. Null, and an empty list, are as good as absent.
    """

    one_of: ClassVar[tuple[str, ...]]

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        values = [getattr(self, name) for name in self.one_of]
        if sum(value is not None and value != () for value in values) != 1:
            *names, last = self.one_of
            raise ValueError(f"give exactly one of {', '.join(names)} and {last}")
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the rule to the schema."""
        schema = handler(core_schema)
        handler.resolve_ref_schema(schema)["oneOf"] = [
            {"required": [name], "properties": {name: {"not": {"enum": [None, []]}}}}
            for name in cls.one_of
        ]
        return schema


_WITHOUT_NUL = r"^[^\x00]*$"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
SESSION_NAME = rf"({TENANT_NAME}\.)?[A-Za-z0-9][A-Za-z0-9_-]{{0,63}}"
_SESSION = f"^{SESSION_NAME}$"
FLEET_PATTERN = rf"^({TENANT_NAME}\.)?_fleet$"
PRINTABLE_PATTERN = r"^[\x21-\x7e]+$"
_NUMBER = r"^\+?[1-9][0-9]{6,14}$"
_RECIPIENT = (
    r"^(\+?[1-9][0-9]{6,14}|[0-9]{5,20}(:[0-9]{1,3})?@(s\.whatsapp\.net|lid)"
    r"|[0-9]{5,20}(-[0-9]{5,20})?@g\.us)$"
)
_PERSON = r"^(\+?[1-9][0-9]{6,14}|[0-9]{5,20}(:[0-9]{1,3})?@(s\.whatsapp\.net|lid))$"
_GROUP = r"^[0-9]{5,20}(-[0-9]{5,20})?@g\.us$"
_ELSEWHERE = r"^([0-9]{5,20}(-[0-9]{5,20})?@g\.us|status@broadcast)$"
_INVITE_LINK = r"^(https://chat\.whatsapp\.com/(invite/)?)?[A-Za-z0-9_-]{8,64}([?#][\x21-\x7e]*)?$"
CHANNEL_INVITE_PATTERN = r"^[0-9A-Za-z_-]{1,64}$"
_CHANNEL = r"^[0-9]{5,20}@newsletter$"
_DESTINATION = (
    r"^(\+?[1-9][0-9]{6,14}|[0-9]{5,20}(:[0-9]{1,3})?@(s\.whatsapp\.net|lid)"
    r"|[0-9]{5,20}(-[0-9]{5,20})?@g\.us|[0-9]{5,20}@newsletter)$"
)
_QUEUE = (
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}\.backend\.[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
    r"(\.[A-Za-z0-9][A-Za-z0-9_-]{0,63})?$"
)
KIND_PATTERN = r"^[a-z][a-z_]{0,31}$"
OBJECT_KEY_PATTERN = r"^(media|uploads|shared)(/[^/.\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]*)+$"
URL_PATTERN = r"^https?://[\x21-\x7e]+$"
CONTACT_LINK_PATTERN = r"^https://wa\.me/(qr|message)/[A-Za-z0-9_-]{1,128}$"
MEDIA_TYPE_PATTERN = r"^[a-z0-9][a-z0-9.+-]*/[a-z0-9][a-z0-9.+-]*(; ?[a-z]+=[a-z0-9.+-]+)*$"
SHA256_PATTERN = r"^[0-9a-f]{64}$"
PROXY_PATTERN = r"^http://([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}/?$"
CLOCK_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
ZONE_PATTERN = r"^[A-Za-z][A-Za-z0-9_+-]{0,31}(/[A-Za-z0-9_+-]{1,32}){0,2}$"
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
COLOR_PATTERN = r"^#[0-9A-Fa-f]{6}$"
TENANT_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]+$"
TRACEPARENT_PATTERN = r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"

SENTENCES = {
    _WITHOUT_NUL: "must not contain NUL characters",
    _NAME: "must be 1 to 64 letters (A to Z, a to z), digits, hyphens or underscores, the first a "
    "letter or a digit; no spaces, no dots, no other letters",
    _SESSION: "must be 1 to 64 letters (A to Z, a to z), digits, hyphens or underscores, the first "
    "a letter or a digit; in a fleet with tenants the tenant and a dot before them. No spaces, no "
    "other dots, no other letters",
    FLEET_PATTERN: "must be _fleet; in a fleet with tenants, with the tenant and a dot before it",
    PRINTABLE_PATTERN: "must be printable ASCII without spaces, and not empty",
    _NUMBER: "must be a phone number in international form: 7 to 15 digits, the first not a zero, "
    "with or without a plus before them; no spaces, hyphens or brackets",
    _RECIPIENT: "must be a phone number in international form (7 to 15 digits, the first not a "
    "zero, with or without a plus before them; no spaces, hyphens or brackets), or the WhatsApp id "
    "of a person (digits and @s.whatsapp.net or @lid) or of a group (digits and @g.us)",
    _PERSON: "must be a phone number in international form (7 to 15 digits, the first not a zero, "
    "with or without a plus before them; no spaces, hyphens or brackets), or the WhatsApp id of a "
    "person (digits and @s.whatsapp.net or @lid)",
    _GROUP: "must be the WhatsApp id of a group (digits and @g.us)",
    _ELSEWHERE: "must be the WhatsApp id of a group (digits and @g.us), or status@broadcast",
    _INVITE_LINK: "must be the link to a group (https://chat.whatsapp.com/ and its code), or its "
    "code",
    CHANNEL_INVITE_PATTERN: "must be the code of an invitation to a channel: the last part of its "
    "link",
    _CHANNEL: "must be the WhatsApp id of a channel (digits and @newsletter)",
    _DESTINATION: "must be a phone number in international form (7 to 15 digits, the first not a "
    "zero, with or without a plus before them; no spaces, hyphens or brackets), or the WhatsApp id "
    "of a person (digits and @s.whatsapp.net or @lid), of a group (digits and @g.us) or of a "
    "channel (digits and @newsletter)",
    _QUEUE: "must be the name of a backend's queue: the gateway's prefix, .backend., the service, "
    "and perhaps a dot and one more word",
    KIND_PATTERN: "must be the name of a kind of content, such as text or poll_vote",
    OBJECT_KEY_PATTERN: "must be the key of an object below media/, uploads/ or shared/, no part "
    "of which begins with a dot or is empty; no backslashes, no control characters",
    URL_PATTERN: "must begin with https:// (or http://, where the gateway is set up for it) and be "
    "printable ASCII without spaces",
    CONTACT_LINK_PATTERN: "must be a link to somebody: https://wa.me/qr/ or https://wa.me/message/ "
    "and a code of letters, digits, hyphens or underscores",
    MEDIA_TYPE_PATTERN: "must be a media type in lower case, such as image/jpeg",
    SHA256_PATTERN: "must be a SHA-256 in lower-case hexadecimal: 64 digits",
    PROXY_PATTERN: "must be the address of an HTTP proxy with its port, such as "
    "http://proxy.example:3128, without credentials, a path or a query",
    CLOCK_PATTERN: "must be a time of day, such as 21:30",
    ZONE_PATTERN: "must be the name of a time zone, such as Europe/Berlin",
    VARIABLE_PATTERN: "must be letters (A to Z, a to z), digits or underscores, the first no digit",
    COLOR_PATTERN: "must be a colour: # and six hexadecimal digits, red, green and blue",
    TENANT_PATTERN: "must not be empty, nor contain control characters",
    TRACEPARENT_PATTERN: "must be a W3C traceparent: version, trace id, span id and flags in "
    "lower-case hexadecimal, joined by hyphens",
}
"""What each pattern of a command asks for, in words: what a sender reads who did not keep to it."""

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    return text


def _moment(value: object, check: ValidatorFunctionWrapHandler) -> datetime:
    # pydantic's own reading takes numbers too, even in strings (a phone number becomes a year), and
    # keeps offsets at the calendar's edge, where every later conversion to UTC would fail.
    if isinstance(value, str):
        value = _read_rfc3339(value)
    moment: datetime = check(value)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


def whole(value: object) -> object:
    """Return a number that is whole as an integer, however it was written.

    Raises:
        ValueError: It is true or false, which Python takes for numbers among certain ones.
    """
    if isinstance(value, bool):
        raise ValueError("Input should be a valid integer")  # noqa: TRY004 - pydantic's own
    # JSON has one kind of number: what some languages write as 42.0 is 42, to JSON Schema too.
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _read_rfc3339(text: str) -> datetime:
    if _RFC3339.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper())  # RFC 3339 allows t and z as well
        except ValueError:
            pass  # its message repeats the text
    raise ValueError("must be a date and time of RFC 3339 with an offset, such as Z")


def _read_day(value: object) -> object:
    # pydantic's own reading takes seconds since 1970 too, in strings.
    if not isinstance(value, str):
        return value
    if _DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass  # as above
    raise ValueError("must be a date, such as 2026-11-24")


def _part(name: str, description: str, *examples: object) -> Part:
    return Part(module=__name__, name=name, description=description, examples=examples)


SessionId = Annotated[
    str,
    Field(pattern=_SESSION),
    _part(
        "SessionId",
        "Names one WhatsApp account of the backend: 1 to 64 letters (A to Z, a to z), digits, `-` "
        "or `_`, the first a letter or a digit. In a fleet with tenants, the tenant and a dot "
        "before that (`acme.support`). Part of routing keys.",
        "acme-support",
    ),
]
"""A session's name: 1 to 64 letters, digits, `_` or `-`, chosen by the backend; with tenants, the
tenant's name and a dot before it."""

WorkerId = Annotated[
    str,
    Field(pattern=_NAME),
    _part(
        "WorkerId",
        "Names one worker; stable over its restarts (a StatefulSet pod's name).",
        "gateway-worker-0",
    ),
]
"""A worker's name: 1 to 64 letters, digits, `_` or `-`."""

CommandId = Annotated[
    str,
    Field(min_length=1, max_length=128, pattern=PRINTABLE_PATTERN),
    _part(
        "CommandId",
        "Idempotency key: a repeat of an id gets the stored outcome again.",
        "01939d4e-6a1f-7c3e-8a55-3f1d2b9c7e10",
    ),
]
"""A command's id: printable ASCII without spaces; UUIDv7 recommended."""

PhoneNumber = Annotated[
    str,
    Field(pattern=_NUMBER),
    PERSONAL,
    _part(
        "PhoneNumber",
        "International number, digits only or with a leading plus.",
        "+15550100001",
    ),
]
"""An international phone number (E.164), with or without the plus."""

Recipient = Annotated[
    str,
    Field(pattern=_RECIPIENT),
    PERSONAL,
    _part(
        "Recipient",
        "A phone number, or the WhatsApp id of a person (`…@s.whatsapp.net`, `…@lid`) or of a "
        "group (`…@g.us`).",
        "+15550100002",
        "15550100002@s.whatsapp.net",
    ),
]
"""Whom a message goes to."""

PersonId = Annotated[
    str,
    Field(pattern=_PERSON),
    PERSONAL,
    _part(
        "PersonId",
        "A phone number, or the WhatsApp id of a person (`…@s.whatsapp.net`, `…@lid`).",
        "+15550100002",
        "15550100002@s.whatsapp.net",
    ),
]
"""Somebody, as a command names them."""

Destination = Annotated[
    str,
    Field(pattern=_DESTINATION),
    PERSONAL,
    _part(
        "Destination",
        "As `Recipient`, or the WhatsApp id of a channel of the account's own (`…@newsletter`).",
        "+15550100002",
        "120363025550100002@newsletter",
    ),
]
"""Where a message goes to."""

ChannelId = Annotated[
    str,
    Field(pattern=_CHANNEL),
    PERSONAL,
    _part(
        "ChannelId",
        "The WhatsApp id of a channel (`…@newsletter`).",
        "120363025550100002@newsletter",
    ),
]
"""A channel."""

Color = Annotated[
    str,
    Field(pattern=COLOR_PATTERN),
    _part("Color", "Red, green and blue in hexadecimal.", "#075E54"),
]
"""A colour, without transparency."""

Mentions = Annotated[
    # At the first fault: a list of 100,000 of them would otherwise take seconds to explain.
    tuple[Recipient, ...],
    FailFast(),
    Field(max_length=256),
]
"""People who are named in a text."""

GroupId = Annotated[
    str,
    Field(pattern=_GROUP),
    PERSONAL,
    _part("GroupId", "The WhatsApp id of a group (`…@g.us`).", "120363025550100001@g.us"),
]
"""A group."""

OtherChat = Annotated[
    str,
    Field(pattern=_ELSEWHERE),
    PERSONAL,
    _part(
        "OtherChat",
        "The WhatsApp id of a group (`…@g.us`), or `status@broadcast`.",
        "120363025550100001@g.us",
    ),
]
"""Where something stands that is answered in a chat with one person."""

InviteLink = Annotated[
    str,
    Field(max_length=256, pattern=_INVITE_LINK),
    PERSONAL,
    _part(
        "InviteLink",
        "The link by which everybody can enter a group, or its code alone.",
        "https://chat.whatsapp.com/Ab3dEfGhIjKlMnOpQrStUv",
    ),
]
"""A link to a group."""

Jid = Annotated[
    str,
    Field(max_length=128, pattern=_WITHOUT_NUL),
    PERSONAL,
    _part("Jid", "A WhatsApp id.", "15550100002@s.whatsapp.net"),
]
"""A WhatsApp id as the network writes it."""

MessageId = Annotated[
    str,
    Field(min_length=1, max_length=128, pattern=PRINTABLE_PATTERN),
    _part(
        "MessageId",
        "A message's WhatsApp id; unique within a chat, not across chats.",
        "3EB0C431C26A1916E07A",
    ),
]
"""A message's id on WhatsApp."""

CallId = Annotated[
    str,
    Field(min_length=1, max_length=128, pattern=PRINTABLE_PATTERN),
    _part("CallId", "A call's WhatsApp id.", "5D0C1F2A3B4C5D6E7F8091A2B3C4D5E6"),
]
"""A call's id on WhatsApp."""

FreeText = Annotated[str, Field(pattern=_WITHOUT_NUL)]
"""Any characters but NUL (PostgreSQL cannot hold it)."""

LabelName = Annotated[str, Field(max_length=63), AfterValidator(_without_nul)]
"""The key of a label: at most 63 characters, without NUL."""

Labels = Annotated[
    dict[LabelName, Annotated[FreeText, Field(max_length=255), PERSONAL]],
    Field(max_length=32),
    Part(
        module=__name__,
        name="Labels",
        description="The backend's own notes, given back as they are.",
        # Made from the key's own pattern this would be `patternProperties`, which forbids nothing.
        keywords={"propertyNames": {"maxLength": 63, "pattern": _WITHOUT_NUL}},
    ),
]
"""Up to 32 short notes by name."""

CLIENT_REF_BYTES = 128
METADATA_BYTES = 2_048


def _short_in_bytes(text: str) -> str:
    if len(text.encode()) > CLIENT_REF_BYTES:
        raise ValueError(f"must have at most {CLIENT_REF_BYTES} bytes in UTF-8")
    return text


def _small_in_bytes(notes: dict[str, str]) -> dict[str, str]:
    if sum(len(name.encode()) + len(value.encode()) for name, value in notes.items()) > (
        METADATA_BYTES
    ):
        raise ValueError(f"must have at most {METADATA_BYTES} bytes in UTF-8, names and values")
    return notes


ClientRef = Annotated[
    str,
    Field(min_length=1, max_length=CLIENT_REF_BYTES, pattern=_WITHOUT_NUL),
    PERSONAL,
    AfterValidator(_short_in_bytes),
    _part(
        "ClientRef",
        "The backend's own name for a message: at most 128 bytes in UTF-8, given back as it is.",
        "order-4711",
    ),
]
"""What a backend calls a message; opaque to the gateway."""

Metadata = Annotated[
    dict[LabelName, Annotated[FreeText, Field(max_length=METADATA_BYTES), PERSONAL]],
    Field(max_length=32),
    AfterValidator(_small_in_bytes),
    Part(
        module=__name__,
        name="Metadata",
        description="The backend's own notes on a session, given back with each of its events: at "
        "most 2,048 bytes in UTF-8, names and values together.",
        keywords={"propertyNames": {"maxLength": 63, "pattern": _WITHOUT_NUL}},
    ),
]
"""Up to 32 notes by name that a session's events carry; opaque to the gateway."""

Text = Annotated[FreeText, Field(max_length=65_536), PERSONAL]
"""A message's text: at most 65,536 characters, without NUL."""

QueueName = Annotated[
    str,
    Field(max_length=200, pattern=_QUEUE),
    _part(
        "QueueName",
        "A backend's own queue: `<prefix>.backend.<service>`, or with one more word.",
        "wa.backend.crm.replay",
    ),
]
"""The name of a queue that a backend has declared for itself."""

SequenceNumber = Annotated[
    int,
    Field(ge=1, le=9_223_372_036_854_775_807),
    BeforeValidator(whole),
    _part(
        "SequenceNumber",
        "A position in the session's stream of events: `sequence` as a number.",
        42,
    ),
]
"""An event's `sequence` as a number, from 1."""

PageLimit = Annotated[int, Field(ge=1, le=200), BeforeValidator(whole)]
"""How many of a list are wanted at a time."""

PageCursor = Annotated[
    str,
    Field(min_length=1, max_length=1_024, pattern=PRINTABLE_PATTERN),
    PERSONAL,
    _part(
        "PageCursor",
        "Where the next page of a list begins: `next_cursor` of the answer before, as it is.",
        "MTAw",
    ),
]
"""A place in a list; opaque to whoever gives it back."""

RuntimeMs = Annotated[
    int,
    Field(ge=1_000, le=86_400_000),
    BeforeValidator(whole),
    _part("RuntimeMs", "How long a command may run, in milliseconds; a second at least.", 20_000),
]
"""A bound for the execution of a command, in milliseconds."""

ClockTime = Annotated[
    str,
    Field(pattern=CLOCK_PATTERN),
    _part("ClockTime", "A time of day, hours and minutes.", "21:30"),
]
"""A time of day."""

TimeZone = Annotated[
    str,
    Field(pattern=ZONE_PATTERN),
    _part("TimeZone", "A time zone, by its name in the IANA's database.", "Europe/Berlin"),
]
"""A time zone, by its name."""

Day = Annotated[date, BeforeValidator(_read_day)]
"""A day of the calendar, such as `2026-11-24`."""

Timestamp = Annotated[AwareDatetime, WrapValidator(_moment)]
"""A moment in time; RFC 3339, read with any offset and written in UTC."""
