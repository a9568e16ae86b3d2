"""What every value between worker and host has in common.

Fields are plain, so a host needs neither pydantic nor the contracts. Times are Unix seconds; JIDs
are written `user@server`, with `:device` only where said.
"""

import msgspec


class Wire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What is read from the other process: every field of its type, and no others."""


class Answer(Wire, frozen=True, kw_only=True):
    """What a call of a method is answered with."""


class Frame(Wire, frozen=True, kw_only=True, tag=True, tag_field="frame"):
    """What is sent by itself; told apart by the name of its class."""


class Person(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody on WhatsApp: `jid` is the phone-number JID when it is known, else the LID."""

    jid: str
    lid: str | None = None
    phone_number: str | None = None
    push_name: str | None = None
    verified_name: str | None = None
