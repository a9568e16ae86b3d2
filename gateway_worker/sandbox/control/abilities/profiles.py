"""What a phone's account shows of itself."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer

from gateway_worker.sandbox.control.models import Body
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.phones.phone import Phone


def _decoded(value: Any) -> Any:
    return base64.b64decode(value, validate=True) if isinstance(value, str) else value


Base64 = Annotated[
    bytes,
    BeforeValidator(_decoded),
    PlainSerializer(lambda value: base64.b64encode(value).decode(), when_used="json"),
]
"""Bytes, as JSON has them."""


class ProfileBody(Body):
    """All that an account shows of itself; what is left out is taken away.

    Attributes:
        about: a text.
        picture: a JPEG.
        hides_picture: whether nobody else may see it.
        verified_name: of a business.
        greeting: what the business's link begins a chat with.
    """

    about: str = ""
    picture: Base64 | None = None
    hides_picture: bool = False
    verified_name: str = ""
    greeting: str = ""


class PresenceState(Body):
    """Whether the phone is in use."""

    available: bool


def set_profile(phone: Phone, body: ProfileBody) -> None:
    """Change what an account shows of itself; others are told of another picture."""
    profile = phone.profile
    profile.about, profile.verified_name = body.about, body.verified_name
    profile.greeting = body.greeting
    profile.privacy["profile"] = "none" if body.hides_picture else "all"
    if body.picture != profile.picture:
        phone.set_picture(body.picture)


async def show_presence(phone: Phone, body: PresenceState) -> None:
    """Tell those who want to know that the phone is in use, or no longer."""
    await phone.show_presence(available=body.available)


OPERATIONS: Final = (
    Operation(
        name="set_profile", route="PUT /phones/{number}/profile", run=set_profile, whole="profile"
    ),
    Operation(name="show_presence", route="PUT /phones/{number}/presence", run=show_presence),
)
