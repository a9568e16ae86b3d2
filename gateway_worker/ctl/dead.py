"""The dead letters: commands that nobody could execute, kept for a person to decide about."""

from collections.abc import Collection
from contextlib import AsyncExitStack

from gateway_worker.broker import DeadLetterOffice, DeadLetterView, Handled
from gateway_worker.config import Settings
from gateway_worker.ctl.exit_codes import EXIT_FAILED
from gateway_worker.ctl.output import as_json, body_text, body_value, complain, plain, say, table
from gateway_worker.ctl.reopening import Reopening
from gateway_worker.sessions.changes import CommandState
from gateway_worker.storage.db import Database, PostgresInboxStore
from gateway_worker.tenants.settings import Tenancy

ALL = 60_000

_KEPT = {
    CommandState.SUCCEEDED: "it has succeeded",
    CommandState.UNCERTAIN: "it may have taken effect (see --resend-uncertain)",
}
"""Why a command keeps its end."""


async def list_letters(settings: Settings, *, limit: int, json: bool) -> int:
    """Print the oldest, without their bodies; returns the exit code, as all of these do."""
    async with DeadLetterOffice.open(settings.broker.for_operator) as office:
        total = await office.count()
        letters = await office.peek(limit)
    if json:
        say(as_json([_fields(letter) for letter in letters]))
    elif letters:
        say(table([_row(letter) for letter in letters]))
    else:
        say("there are no dead letters")
    if total > len(letters):
        complain(f"{total - len(letters)} more are not shown; see --limit")
    return 0


async def show_letter(settings: Settings, letter_id: str, *, json: bool) -> int:
    """Print one with its body."""
    async with DeadLetterOffice.open(settings.broker.for_operator) as office:
        found = [letter for letter in await office.peek(ALL) if letter.id == letter_id]
    if not found:
        complain(f"there is no dead letter {plain(letter_id)}")
        return EXIT_FAILED
    if json:
        whole = [_fields(one) | _errors(one) | body_value(one.body) for one in found]
        say(as_json(whole))
        return 0
    for letter in found:
        for name, value in _fields(letter).items():
            say(f"{name:<12}  {'-' if value is None else plain(str(value))}")
        for error in letter.errors:
            say(f"{'error':<12}  {plain(error.pointer)}: {plain(error.detail)}")
        say(f"\n{body_text(letter.body)}")
    return 0


async def replay(
    settings: Settings,
    ids: Collection[str] | None,
    *,
    resend_uncertain: bool,
    trusting: bool,
    json: bool,
) -> int:
    """Publish letters as the commands they were.

    Args:
        settings: The worker's.
        ids: Which letters; None for all.
        resend_uncertain: Execute also what may have taken effect already.
        trusting: Replay also what says that it is a message among workers.
        json: Whether JSON is printed.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings=settings.database))
        await database.check()  # before anything is taken from the queue
        reopening = Reopening(
            inbox=PostgresInboxStore(database=database), resend_uncertain=resend_uncertain
        )
        office = await stack.enter_async_context(
            DeadLetterOffice.open(settings.broker.for_operator)
        )
        needs_sender = settings.tenants.mode is not Tenancy.OFF
        handled = await (
            office.replay_all(
                prepare=reopening.prepare, trusting=trusting, needs_sender=needs_sender
            )
            if ids is None
            else office.replay(
                set(ids), prepare=reopening.prepare, trusting=trusting, needs_sender=needs_sender
            )
        )
    code = _report(handled, "replayed", json=json, reopened=reopening.reopened)
    for letter_id, state in reopening.told_only.items():
        complain(f"{plain(letter_id)} is not executed again, only told: {_KEPT[state]}")
    return code


async def drop(settings: Settings, ids: Collection[str] | None, *, json: bool) -> int:
    """Remove letters for good; all of them if none are named."""
    async with DeadLetterOffice.open(settings.broker.for_operator) as office:
        handled = await (office.drop_all() if ids is None else office.drop(set(ids)))
    return _report(handled, "dropped", json=json)


def _report(handled: Handled, verb: str, *, json: bool, **counts: int) -> int:
    missing = sorted(handled.missing)
    if json:
        kept = dict(handled.kept)
        say(as_json({verb: handled.done, "missing": missing, "kept": kept, **counts}))
    else:
        say(f"{verb} {handled.done}")
    for letter_id in missing:
        complain(f"there is no dead letter {plain(letter_id)}")
    for letter_id, reason in sorted(handled.kept.items()):
        complain(f"{plain(letter_id)} stays: {reason}")
    return EXIT_FAILED if missing or handled.kept else 0


def _row(letter: DeadLetterView) -> dict[str, object]:
    return {
        "id": letter.id,
        "at": letter.at,
        "code": letter.code,
        "attempts": letter.attempts,
        "type": letter.type,
        "session": letter.session_id,
        "at_fault": ", ".join(error.pointer for error in letter.errors) or None,
        "reason": letter.reason,
    }


def _fields(letter: DeadLetterView) -> dict[str, object]:
    return {
        **_row(letter),
        "routing_key": letter.routing_key,
        "queue": letter.queue,
        "by": letter.by,
        "control": letter.control,
        "unverified_control": letter.unverified_control,
        "lost_bytes": letter.lost_bytes,
    }


def _errors(letter: DeadLetterView) -> dict[str, object]:
    """Return the faults in words; they may quote the command."""
    return {"errors": [error.model_dump() for error in letter.errors]}
