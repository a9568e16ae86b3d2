"""The dead letters: commands that nobody could execute, kept for a person to decide about."""

import argparse
from contextlib import AsyncExitStack
from typing import Any

from gateway_worker.broker import DeadLetterOffice, DeadLetterView, Handled
from gateway_worker.config import Settings
from gateway_worker.ctl.output import as_json, body_text, body_value, complain, plain, say, table
from gateway_worker.ctl.reopening import Reopening
from gateway_worker.sessions.changes import CommandState
from gateway_worker.storage.db import Database, PostgresInboxStore

LISTED = 100
ALL = 60_000
EXIT_FAILED = 1

_PRIVACY = (
    "The body is shown by `show` only: it is what the backend sent, with message text and phone "
    "numbers. Treat the output as personal data."
)

_KEPT = {
    CommandState.SUCCEEDED: "it has succeeded",
    CommandState.UNCERTAIN: "it may have taken effect (see --resend-uncertain)",
}
"""Why a command keeps its end."""


def add_arguments(groups: Any) -> None:
    """Add `dead` and its words."""
    dead = groups.add_parser("dead", help="the dead letters", epilog=_PRIVACY)
    words = dead.add_subparsers(required=True, metavar="ACTION")

    listing = words.add_parser("list", help="list them, the oldest first, without their bodies")
    listing.add_argument(
        "--limit", type=_number, default=LISTED, metavar="N", help=f"at most (default: {LISTED})"
    )
    listing.set_defaults(action=_list)

    show = words.add_parser(
        "show", help="show one with its body, which is personal data", epilog=_PRIVACY
    )
    show.add_argument("id", metavar="ID")
    show.set_defaults(action=_show)

    replay = words.add_parser(
        "replay",
        help="publish them as the commands they were",
        description="Publish dead letters as the commands they were, under their own ids. A "
        "command that has failed is executed again; its backend has been told of the failure, and "
        "now gets a second outcome, the one that counts. One that has succeeded is not executed "
        "again: its backend gets that outcome once more. A deadline that has passed stays passed. "
        "The database has to be there: without it nothing is published.",
    )
    _which(replay)
    replay.add_argument(
        "--resend-uncertain",
        action="store_true",
        help="execute also what ended with `uncertain`. WARNING: WhatsApp may have such a message "
        "already, so its recipient may get it TWICE. Without this its backend is only told "
        "`uncertain` once more",
    )
    replay.add_argument(
        "--trust-controls",
        action="store_true",
        help="replay also what says that it is a message among workers though the broker itself "
        "has moved it here. WARNING: anybody who may publish commands can have sent it; look at it "
        "with `show` first",
    )
    replay.set_defaults(action=_replay, check=_check_choice)

    drop = words.add_parser("drop", help="remove them for good")
    _which(drop)
    drop.add_argument("--yes", action="store_true", help="needed with --all: there is no way back")
    drop.set_defaults(action=_drop, check=_check_choice)

    for parser in (listing, show, replay, drop):
        parser.add_argument("--json", action="store_true", help="print JSON for programs")


def _which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", metavar="ID", help="as `list` shows them")
    parser.add_argument("--all", action="store_true", help="all that are there now")
    parser.set_defaults(parser=parser)


def _check_choice(arguments: argparse.Namespace) -> None:
    """Leave with a usage error unless it is clear which letters are meant."""
    parser: argparse.ArgumentParser = arguments.parser
    if bool(arguments.ids) == arguments.all:
        parser.error("name the letters by their ids, or say --all")
    if arguments.all and not getattr(arguments, "yes", True):
        parser.error("--all removes every dead letter for good: say --yes too")


def _number(text: str) -> int:
    number = int(text)
    if not 1 <= number <= ALL:
        raise argparse.ArgumentTypeError(f"a number from 1 to {ALL} is expected")
    return number


async def _list(settings: Settings, arguments: argparse.Namespace) -> int:
    async with DeadLetterOffice.open(settings.broker.for_operator) as office:
        total = await office.count()
        letters = await office.peek(arguments.limit)
    if arguments.json:
        say(as_json([_fields(letter) for letter in letters]))
    elif letters:
        say(table([_row(letter) for letter in letters]))
    else:
        say("there are no dead letters")
    if total > len(letters):
        complain(f"{total - len(letters)} more are not shown; see --limit")
    return 0


async def _show(settings: Settings, arguments: argparse.Namespace) -> int:
    async with DeadLetterOffice.open(settings.broker.for_operator) as office:
        found = [letter for letter in await office.peek(ALL) if letter.id == arguments.id]
    if not found:
        complain(f"there is no dead letter {plain(arguments.id)}")
        return EXIT_FAILED
    if arguments.json:
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


async def _replay(settings: Settings, arguments: argparse.Namespace) -> int:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database(settings=settings.database))
        await database.check()  # before anything is taken from the queue
        reopening = Reopening(
            inbox=PostgresInboxStore(database=database), resend_uncertain=arguments.resend_uncertain
        )
        office = await stack.enter_async_context(
            DeadLetterOffice.open(settings.broker.for_operator)
        )
        handled = await (
            office.replay_all(prepare=reopening.prepare, trusting=arguments.trust_controls)
            if arguments.all
            else office.replay(
                set(arguments.ids), prepare=reopening.prepare, trusting=arguments.trust_controls
            )
        )
    code = _report(handled, "replayed", arguments, reopened=reopening.reopened)
    for letter_id, state in reopening.told_only.items():
        complain(f"{plain(letter_id)} is not executed again, only told: {_KEPT[state]}")
    return code


async def _drop(settings: Settings, arguments: argparse.Namespace) -> int:
    async with DeadLetterOffice.open(settings.broker.for_operator) as office:
        handled = await (office.drop_all() if arguments.all else office.drop(set(arguments.ids)))
    return _report(handled, "dropped", arguments)


def _report(handled: Handled, verb: str, arguments: argparse.Namespace, **counts: int) -> int:
    missing = sorted(handled.missing)
    if arguments.json:
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
