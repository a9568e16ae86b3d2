"""What is wrapped around a message's content, and what only stands beside it."""

from collections.abc import Iterator
from typing import Any, Final

_DEEPEST_WRAPPING: Final = 8
_WRAPPER_TYPES: Final = frozenset({"FutureProofMessage", "DeviceSentMessage"})
_BESIDE_CONTENT: Final = frozenset(
    {
        "messageContextInfo",
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
        "stickerSyncRmrMessage",
        "groupRootKeyShare",
        "rootSecretDistributeMessage",
        "placeholderMessage",
        "deviceSentMessage",
    }
)
"""Fields that serve the protocol. Alone they are no message that anybody wrote."""


def unwrapped(message: Any) -> tuple[str | None, Any]:
    """Return the field of the library's `Message` that somebody has written, and its value.

    None if there is no such field, `nested` if there are only wrappers.
    """
    field, value, _ = taken_apart(message)
    return field, value


def taken_apart(message: Any) -> tuple[str | None, Any, frozenset[str]]:
    """Return the same, and the names of the wrappers that were around it."""
    around: set[str] = set()
    for _ in range(_DEEPEST_WRAPPING):
        found = next(
            (
                (field, value)
                for field, value in message.ListFields()
                if field.name not in _BESIDE_CONTENT or _wraps(field, value)
            ),
            None,
        )
        if found is None:
            return None, None, frozenset(around)
        field, value = found
        if not _wraps(field, value):
            return field.name, value, frozenset(around)
        around.add(field.name)
        message = value.message
    return "nested", message, frozenset(around)


def layers(message: Any) -> Iterator[Any]:
    """Yield a message of the library's, and those that it is only wrapped around."""
    for _ in range(_DEEPEST_WRAPPING):
        yield message
        fields = message.ListFields()
        inner = next((value for field, value in fields if _wraps(field, value)), None)
        if inner is None:
            return
        message = inner.message


def _wraps(field: Any, value: Any) -> bool:
    inner = field.message_type
    return inner is not None and inner.name in _WRAPPER_TYPES and value.HasField("message")
