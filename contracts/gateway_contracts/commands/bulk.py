"""Commands about many sends at once, and what they return."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, FailFast, Field

from gateway_contracts.bulks import BulkCounts, BulkResultFile
from gateway_contracts.content import ContentToSend
from gateway_contracts.envelope import CommandEnvelope
from gateway_contracts.marks import PERSONAL
from gateway_contracts.media import ObjectSource, UploadSource
from gateway_contracts.model import (
    VARIABLE_PATTERN,
    ClientRef,
    CommandId,
    FreeText,
    OneOfModel,
    Recipient,
    Timestamp,
    WireModel,
    whole,
)

VariableName = Annotated[str, Field(max_length=64, pattern=VARIABLE_PATTERN)]
"""What stands between `{{` and `}}`."""


class BulkRow(WireModel):
    """One send of a bulk: in the command, or a line of a file of JSON lines."""

    to: Recipient
    variables: dict[VariableName, Annotated[FreeText, Field(max_length=4_096), PERSONAL]] = Field(
        default_factory=dict,
        description="What stands in the bulk's `content` for `{{name}}`, by name; more do no harm.",
        # The pattern alone becomes `patternProperties`, which forbids no other name.
        json_schema_extra={"propertyNames": {"maxLength": 64, "pattern": VARIABLE_PATTERN}},
    )
    content: ContentToSend | None = Field(
        None, description="What is sent in place of the bulk's `content`; nothing is filled in."
    )
    client_ref: ClientRef | None = Field(
        None, description="Comes back in the row's outcome and in the message's receipts."
    )


class BulkFormat(StrEnum):
    """What the lines of a file are."""

    CSV = "csv"
    """The first line names the columns: `to`, perhaps `client_ref`, and variables."""
    JSONL = "jsonl"
    """Each line is a row as in the command."""


class BulkFile(WireModel):
    """Rows in the gateway's bucket, in UTF-8: at most 100,000, 64 KiB each, 256 MiB together."""

    media: Annotated[ObjectSource | UploadSource, Field(discriminator="source")]
    format: BulkFormat


class BulkStop(WireModel):
    """When the gateway pauses a bulk because too much of it fails."""

    failed_percent: Annotated[int, Field(ge=1, le=100), BeforeValidator(whole)] = Field(
        30, description="It is paused if more of the rows that have ended have not succeeded."
    )
    after_rows: Annotated[int, Field(ge=1, le=100_000), BeforeValidator(whole)] = Field(
        20, description="Not before so many have ended."
    )


class BulkCreateData(OneOfModel):
    """What is sent to whom: exactly one of `rows` and `file`."""

    one_of = ("rows", "file")

    content: ContentToSend | None = Field(
        None,
        description="What is sent, with `{{name}}` in its texts where a row's variable stands. May "
        "be absent if each row has a content of its own.",
    )
    rows: Annotated[tuple[BulkRow, ...], FailFast()] = Field((), max_length=2_000)
    file: BulkFile | None = None
    dry_run: bool = Field(
        default=False, description="Only tell what is wrong with the rows; nothing is sent."
    )
    check_contacts: bool = Field(
        default=False,
        description="Ask WhatsApp about 50 numbers at a time before they are written to: those "
        "that are not there fail without being sent to.",
    )
    scheduled_at: Timestamp | None = Field(
        None, description="When it begins, at most 90 days ahead; absent, at once."
    )
    stop: BulkStop = Field(default_factory=BulkStop)


class BulkCreate(CommandEnvelope):
    """Send many messages, one after the other; sends that come meanwhile overtake them.

    Each row is a send of its own, with the id `<id of this command>/<row>`, counted from 1, an
    outcome, and the same guarantees. This command succeeds when all rows are stored; if any row
    cannot be sent as it stands, it fails and none is. Its own id has at most 120 characters.
    """

    type: Literal["wa.bulk.create.v1"] = "wa.bulk.create.v1"
    data: BulkCreateData


class BulkId(WireModel):
    """Which bulk is meant."""

    bulk_id: CommandId = Field(description="The `id` of its `bulk.create`.")


class BulkPause(CommandEnvelope):
    """Let no row begin until `bulk.resume`. What is paused or over stays so."""

    type: Literal["wa.bulk.pause.v1"] = "wa.bulk.pause.v1"
    data: BulkId


class BulkResume(CommandEnvelope):
    """Go on with a bulk that is paused, by whomever. What runs or is over stays so."""

    type: Literal["wa.bulk.resume.v1"] = "wa.bulk.resume.v1"
    data: BulkId


class BulkCancel(CommandEnvelope):
    """Let no row begin any more. `bulk.finished` follows when those that have begun have ended.

    The rows that are not sent have no outcomes of their own; the result file has them as
    `cancelled`.
    """

    type: Literal["wa.bulk.cancel.v1"] = "wa.bulk.cancel.v1"
    data: BulkId


class BulkStatus(CommandEnvelope):
    """Return how far a bulk has come."""

    type: Literal["wa.bulk.status.v1"] = "wa.bulk.status.v1"
    data: BulkId


class BulkInfo(BulkCounts):
    """A bulk as it stands."""

    kind: Literal["bulk"] = "bulk"
    created_at: Timestamp | None = None
    starts_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    result: BulkResultFile | None = Field(None, description="Once it is over.")


class BulkFault(WireModel):
    """What is wrong with one row."""

    row: Annotated[int, Field(ge=1)] = Field(description="Which, counted from 1.")
    pointer: str = Field(description="JSON Pointer into the row.", examples=["/to"])
    detail: str = Field(description="What is wrong with the value there.")


class BulkCheck(WireModel):
    """What a dry run has found."""

    kind: Literal["bulk_check"] = "bulk_check"
    rows: Annotated[int, Field(ge=0)]
    faulty: Annotated[int, Field(ge=0)] = Field(description="How many rows cannot be sent.")
    faults: tuple[BulkFault, ...] = Field(description="What is wrong with them, the first 200.")
    file: BulkResultFile | None = Field(
        None, description="All of it as JSON lines, if there is more."
    )


BulkCommand = BulkCreate | BulkPause | BulkResume | BulkCancel | BulkStatus
"""Every command of this family."""

BulkResult = BulkInfo | BulkCheck
"""What they return."""
