"""Commands about a session's other commands, and what they return."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.commands.session import NoData
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.model import WireModel


class QueuePurge(CommandEnvelope):
    """Call off what waits for a session.

    Sends and questions to WhatsApp that came before and have had no effect yet end with
    `cancelled`: those that are queued, and those that wait for the connection, for their file, for
    their time or for another attempt. So does what was put off: scheduled sends, and the rows of
    bulks. What is just being handed to WhatsApp goes on, as do commands that change the session.
    """

    type: Literal["wa.queue.purge.v1"] = "wa.queue.purge.v1"
    data: NoData = Field(default_factory=NoData)


class Purged(WireModel):
    """How much was called off.

    What is told of each is its outcome; of the rows of a bulk, its `bulk.finished`.
    """

    kind: Literal["purged"] = "purged"
    commands: Annotated[int, Field(ge=0)] = Field(description="Commands that waited.")
    deferred: Annotated[int, Field(ge=0)] = Field(description="Scheduled sends, and rows of bulks.")


QueueCommand = QueuePurge
"""Every command of this family."""

QueueResult = Purged
"""What they return."""
