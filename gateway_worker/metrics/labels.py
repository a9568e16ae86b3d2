"""The closed sets that labels come from: types and codes of the contract, names of dependencies."""

from collections.abc import Iterable
from typing import Any, Final, get_args

from gateway_contracts import BulkState, Command, ErrorCode, Event, Ignorable
from gateway_contracts.content import SENDABLE_KINDS

OTHER: Final = "other"
"""Stands in a label for everything that is not in its set."""

SUCCEEDED: Final = "succeeded"
OUTCOMES: Final = frozenset({SUCCEEDED, "repeated", *(code.value for code in ErrorCode)})
DEPENDENCIES: Final = ("rabbitmq", "postgresql", "redis", "s3", "whatsapp")
PACED_BY: Final = ("day", "recipient", "session", "quiet_hours")
IGNORED: Final = (*(category.value for category in Ignorable), "chats")
HOST_EXITS: Final = ("stopped", "crashed")
FILE_KINDS: Final = frozenset(
    kind for kind, model in SENDABLE_KINDS.items() if "media" in model.model_fields
)
FILE_STEPS: Final = ("fetch", "inspect", "upload")
CANCELLED: Final = "cancelled"
OPEN_BULKS: Final = (
    BulkState.RUNNING.value,
    BulkState.PAUSED.value,
    BulkState.CANCELLING.value,
)
ROW_ENDS: Final = ("succeeded", "failed", "uncertain")
SPANS: Final = ("exported", "failed")
SNAPSHOT_TROUBLES: Final = ("not_stored", "not_kept", "refused", "unusable")


def _types(union: object) -> frozenset[str]:
    """Return the short names in a discriminated union: `message.send` of `wa.message.send.v1`."""
    models: Iterable[Any] = get_args(get_args(union)[0])
    return frozenset(short_type(model.model_fields["type"].default) for model in models)


def short_type(message_type: str) -> str:
    """Return the name of a type without what all have: `message.send` of `wa.message.send.v1`."""
    return message_type.removeprefix("wa.").rpartition(".")[0]


COMMAND_TYPES: Final = _types(Command)
EVENT_TYPES: Final = _types(Event)
