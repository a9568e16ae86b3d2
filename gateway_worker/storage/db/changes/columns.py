"""Changes as arrays, column by column, in the order in which the statements take them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway_worker.media.arriving.records import MediaRow
from gateway_worker.sessions.changes import (
    Change,
    MessageRow,
    Outcome,
    ReceiptRow,
    SessionValues,
)
from gateway_worker.storage.db.changes.bodies import Draft
from gateway_worker.storage.db.changes.steps import Sender, Step
from gateway_worker.storage.db.command_keys import command_key
from gateway_worker.storage.db.documents import (
    model_text,
    outcome_text,
    reachout_text,
    storable_text,
)

Columns = tuple[list[Any], ...]

_NO_UPDATE = SessionValues()


def outcome_columns(changes: Sequence[Change]) -> Columns:
    """Return ids, sessions, types, states, outcomes, epochs and attempts of ends of commands."""
    ends = [(change, change.outcome) for change in changes if change.outcome is not None]
    return _columns(7, (_outcome(change, outcome) for change, outcome in ends))


def _outcome(change: Change, outcome: Outcome) -> tuple[Any, ...]:
    return (
        command_key(change.session_id, outcome.command_id),
        change.session_id,
        outcome.command_type,
        outcome.state.value,
        outcome_text(outcome),
        change.epoch,
        outcome.attempts,
    )


def message_columns(changes: Sequence[Change]) -> Columns:
    """Return the values of each: those of its row, the writer's LID and the end it belongs to."""
    pairs = [(change, change.message) for change in changes if change.message is not None]
    return _columns(12, (_message(change, message) for change, message in pairs))


def _message(change: Change, message: MessageRow) -> tuple[Any, ...]:
    return (
        change.session_id,
        message.message_id,
        message.chat,
        message.direction.value,
        message.sender,
        model_text(message.content),
        message.timestamp,
        message.command_id,
        message.client_ref,
        message.is_uncertain,
        message.sender_lid,
        change.outcome and command_key(change.session_id, change.outcome.command_id),
    )


def receipt_columns(changes: Sequence[Change], sent_by: Sequence[Sender]) -> Columns:
    """Return the values of each: those of its row, the LID, whether it waits, and the sender's.

    Args:
        changes: All with a receipt.
        sent_by: For each what has sent its message, as far as that is known.
    """
    pairs = [(change, change.receipt) for change in changes if change.receipt is not None]
    return _columns(
        10,
        (
            _receipt(change, receipt, sender)
            for (change, receipt), sender in zip(pairs, sent_by, strict=True)
        ),
    )


def _receipt(change: Change, receipt: ReceiptRow, sender: Sender) -> tuple[Any, ...]:
    return (
        change.session_id,
        receipt.message_id,
        receipt.chat,
        receipt.participant,
        receipt.status.value,
        receipt.timestamp,
        receipt.participant_lid,
        receipt.waits and sender.command_id is None,
        sender.command_id,
        sender.client_ref,
    )


def media_columns(changes: Sequence[Change]) -> Columns:
    """Return session, id, message, chat, state, file, name, hash, reference, thumbnail of files."""
    pairs = [(change, change.media) for change in changes if change.media is not None]
    return _columns(10, (_media(change, media) for change, media in pairs))


def _media(change: Change, row: MediaRow) -> tuple[Any, ...]:
    return (
        change.session_id,
        row.media_id,
        row.message_id,
        row.chat,
        row.media.state.value,
        model_text(row.media),
        row.file_name and storable_text(row.file_name),
        row.media.sha256,
        row.reference,
        row.thumbnail,
    )


def media_update_columns(changes: Sequence[Change]) -> Columns:
    """Return sessions, ids, states and files of what became of files."""
    pairs = [(change, change.media_update) for change in changes if change.media_update is not None]
    return _columns(
        4,
        (
            (change.session_id, update.media_id, update.media.state.value, model_text(update.media))
            for change, update in pairs
        ),
    )


def session_columns(steps: Iterable[Step], last_sequence: Mapping[str, int]) -> Columns:
    """Return ids, last sequences and new values: states, desired ones, accounts, reachout.

    A session that has neither events nor new values is left out.
    """
    updates: dict[str, SessionValues] = {}
    for step in steps:
        change = step.change
        if change.epoch is not None and (step.told or change.session is not None):
            before = updates.get(change.session_id, _NO_UPDATE)
            updates[change.session_id] = _then(before, change.session)
    return _columns(
        7,
        (
            (
                session_id,
                last_sequence[session_id],
                update.state and update.state.value,
                update.desired and update.desired.value,
                update.account and model_text(update.account),
                update.forget_account,
                update.reachout and reachout_text(update.reachout),
            )
            for session_id, update in updates.items()
        ),
    )


def event_columns(
    drafts: Sequence[Draft],
    sequences: Sequence[int | None],
    bodies: Sequence[bytes],
    correlations: Sequence[str | None],
) -> Columns:
    """Return ids, sessions, sequences, types, keys, bodies, correlations and traces of events."""
    events = [draft.event for draft in drafts]
    return (
        [event.id for event in events],
        [event.subject for event in events],
        list(sequences),
        [event.type for event in events],
        [draft.routing_key for draft in drafts],
        list(bodies),
        list(correlations),
        [event.traceparent for event in events],
    )


def _columns(width: int, rows: Iterable[tuple[Any, ...]]) -> Columns:
    return tuple(map(list, zip(*rows, strict=True))) or tuple([] for _ in range(width))


def _then(before: SessionValues, after: SessionValues | None) -> SessionValues:
    """Fold two updates of one session into one; what the later one leaves alone stays."""
    if after is None:
        return before
    forget = after.forget_account or (before.forget_account and after.account is None)
    return SessionValues(
        state=after.state or before.state,
        desired=after.desired or before.desired,
        account=None if forget else after.account or before.account,
        forget_account=forget,
        reachout=after.reachout or before.reachout,
    )
