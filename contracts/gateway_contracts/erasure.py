"""What was erased of a person."""

from pydantic import Field

from gateway_contracts.counting import Count
from gateway_contracts.model import WireModel


class ErasedCounts(WireModel):
    """How much of each kind was erased."""

    messages: Count = Field(
        0, description="All of the chat with the person, and what the person wrote in groups."
    )
    receipts: Count = 0
    files: Count = Field(0, description="Rows of files that came with these messages.")
    objects: Count = Field(0, description="Files in the gateway's bucket.")
    chats: Count = Field(0, description="Ids of the person that chats were known by.")
    outcomes: Count = Field(
        0, description="Stored outcomes of commands in which the person's ids were replaced."
    )
    events: Count = Field(
        0, description="Stored events that can be replayed no more: they told of the person."
    )
    device_rows: Count = Field(
        0, description="Names, settings and secrets of messages in the session's device store."
    )
