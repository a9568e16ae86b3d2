"""Where a message comes from: other chats, or an advertisement."""

from typing import Annotated

from pydantic import Field

from gateway_contracts.marks import PERSONAL
from gateway_contracts.model import WireModel


class Forwarded(WireModel):
    """The message was forwarded."""

    score: Annotated[int, Field(ge=0)] = Field(
        description="How often it was passed on, as its sender's app counts; 0 if that is not told."
    )
    many: bool = Field(description="WhatsApp's apps show it as forwarded many times.")


class Referral(WireModel):
    """What has brought the sender to this chat: an advertisement, or another place with a link.

    It is what the sender's app says; each part is there as far as it says so.
    """

    source_type: str | None = Field(None, description="Of the advertisement.", examples=["ad"])
    source_id: str | None = Field(None, description="Id of the advertisement or post.")
    source_url: str | None = None
    source_app: str | None = Field(None, examples=["facebook"])
    headline: Annotated[str, PERSONAL] | None = Field(None, description="What it says, in short.")
    body: Annotated[str, PERSONAL] | None = Field(None, description="What it says.")
    media_url: str | None = None
    click_id: str | None = Field(None, description="`ctwa_clid`: the click, for attribution.")
    reference: str | None = Field(None, description="What the link has as `ref`.")
    entry_point: str | None = Field(
        None, description="Which way led to the chat.", examples=["click_to_chat_link"]
    )
    entry_point_app: str | None = None
    entry_point_delay_seconds: int | None = Field(
        None, description="How long after that the message was written."
    )
