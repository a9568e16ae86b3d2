"""Models in JSON columns: how they are written so that PostgreSQL takes them, and read again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import orjson
from pydantic import BaseModel, TypeAdapter

from gateway_contracts import (
    Account,
    Content,
    ErrorBody,
    ErrorCode,
    Media,
    Result,
    SessionSettings,
)
from gateway_contracts.commands import Pairing
from gateway_worker.sessions.changes import Outcome, Reachout
from gateway_worker.sessions.found_sends import FoundSend, encode_found

_PAIRINGS: TypeAdapter[Pairing] = TypeAdapter(Pairing)
_CONTENTS: TypeAdapter[Content] = TypeAdapter(Content)
_RESULTS: TypeAdapter[Result] = TypeAdapter(Result)

_NUL, _REPLACEMENT = "\x00", "\ufffd"
_ESCAPED_NUL = b"\\u0000"


def model_text(model: BaseModel) -> str:
    """Write a model as JSON for a `jsonb` value, absent fields left out."""
    return _storable(model.__pydantic_serializer__.to_json(model, exclude_none=True))


def mapping_text(value: Mapping[str, Any]) -> str:
    """Write a mapping of plain values as JSON for a `jsonb` value."""
    return _storable(orjson.dumps(value))


def outcome_text(outcome: Outcome) -> str:
    """Write a command's end: `{"result": …}` or `{"error": …}`, then perhaps with `message`.

    Of a result that is not kept nothing is written.
    """
    if outcome.error is not None:
        message = ""
        if outcome.message_id is not None:
            where = {"chat": outcome.chat, "message_id": outcome.message_id}
            message = f',"message":{mapping_text(where)}'
        return f'{{"error":{model_text(outcome.error)}{message}}}'
    if outcome.result is not None and outcome.is_kept:
        return result_text(outcome.result)
    return "{}"


def result_text(result: Result) -> str:
    """Write a command's good end: `{"result": …}`."""
    return f'{{"result":{model_text(result)}}}'


def found_text(found: FoundSend) -> str:
    """Write what was told of a command's interrupted run, until it has an outcome."""
    return _storable(b'{"found":%b}' % encode_found(found))


def read_found(stored: Mapping[str, Any]) -> FoundSend | None:
    """Read what `found_text` wrote, if this release can make something of it."""
    if (found := stored.get("found")) is None:
        return None
    try:
        return msgspec.convert(found, FoundSend)
    except msgspec.ValidationError:
        return None


def read_outcome(
    stored: Mapping[str, Any], *, command_id: str, command_type: str, attempts: int
) -> Outcome:
    """Read what `outcome_text` wrote."""
    result, error = stored.get("result"), stored.get("error")
    message = stored.get("message") or {}
    return Outcome(
        command_id=command_id,
        command_type=command_type,
        result=None if result is None else _RESULTS.validate_python(result),
        error=None if error is None else _read_error(error),
        attempts=attempts,
        message_id=message.get("message_id"),
        chat=message.get("chat"),
    )


def _read_error(stored: Mapping[str, Any]) -> ErrorBody:
    # Those of an earlier release have no category.
    return ErrorBody.model_validate({"category": ErrorCode(stored["code"]).category, **stored})


def read_pairing(stored: Mapping[str, Any]) -> Pairing:
    """Read a session's way of pairing."""
    return _PAIRINGS.validate_python(stored)


def read_account(stored: Mapping[str, Any] | None) -> Account | None:
    """Read a session's account if it has one."""
    return None if stored is None else Account.model_validate(stored)


def read_settings(stored: Mapping[str, Any]) -> SessionSettings:
    """Read what a session is set to; what only a later release knows is passed over."""
    return SessionSettings.model_validate(stored) if stored else SessionSettings()


def reachout_text(reachout: Reachout) -> str:
    """Write what WhatsApp has said of new chats."""
    return orjson.dumps({"refusals": reachout.refusals, "until": reachout.until}).decode()


def read_reachout(stored: Mapping[str, Any] | None) -> Reachout:
    """Read what `reachout_text` wrote."""
    if stored is None:
        return Reachout()
    until = stored["until"]
    return Reachout(
        refusals=stored["refusals"], until=None if until is None else datetime.fromisoformat(until)
    )


def read_content(stored: Mapping[str, Any]) -> Content:
    """Read a message's content."""
    return _CONTENTS.validate_python(stored)


def storable_text(text: str) -> str:
    """Return a text that a `text` column takes: it cannot hold NUL either."""
    return text.replace(_NUL, _REPLACEMENT)


def read_media(stored: Mapping[str, Any]) -> Media:
    """Read what is told of a file."""
    return Media.model_validate(stored)


def _storable(document: bytes) -> str:
    r"""Return JSON that `jsonb` takes: it cannot hold NUL, which a message may well contain.

    One such message would otherwise be refused for ever. The event keeps the original.
    """
    if _ESCAPED_NUL in document:  # or the six characters themselves, after a backslash: they stay
        document = orjson.dumps(_without_nul(orjson.loads(document)))
    return document.decode()


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_NUL, _REPLACEMENT)
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_nul(each) for each in value]
    return value
