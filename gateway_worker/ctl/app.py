"""The words of `gateway-worker ctl`, each in a module that is imported when it is said."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from gateway_worker.ctl.options import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word: a command, or a group of commands.

    Attributes:
        module: Below `gateway_worker.ctl.words`.
        about: What `ctl --help` says of it.
        is_group: Whether the whole module is the group.
    """

    module: str
    about: str
    is_group: bool = False


WORDS: Final[Mapping[str, Word]] = {
    "create": Word(module="sessions", about="Link an account: shows its QR code until connected."),
    "sessions": Word(module="sessions", about="List the sessions of the fleet."),
    "status": Word(module="sessions", about="Tell how a session is."),
    "logout": Word(module="sessions", about="Unlink a session's device from its account."),
    "delete": Word(module="sessions", about="Forget a session, with every trace."),
    "migrate": Word(module="sessions", about="Move a session to another worker."),
    "drain": Word(module="sessions", about="Move every session of a worker to others."),
    "send": Word(module="messages", about="Send a message of any kind, files uploaded."),
    "request": Word(module="messages", about="Send any command of the contract."),
    "history": Word(module="watching", about="Read a session's stored messages."),
    "tail": Word(module="watching", about="Show events as they come, without what people wrote."),
    "top": Word(module="watching", about="Watch workers and sessions."),
    "bulk": Word(
        module="bulk", about="Send to many: create, status, pause, resume, cancel.", is_group=True
    ),
    "group": Word(module="groups", about="Make, look at and change groups.", is_group=True),
    "contact": Word(
        module="contacts", about="Ask about people, block, export, erase.", is_group=True
    ),
    "broker": Word(module="broker", about="The backends' part of the broker.", is_group=True),
    "dead": Word(module="dead", about="The dead letters (needs the database).", is_group=True),
    "fleet": Word(
        module="fleet", about="Workers and sessions as the database has them.", is_group=True
    ),
    "audit": Word(module="audit", about="Whose commands there were (needs the database)."),
    "snapshots": Word(module="snapshots", about="The copies of device stores.", is_group=True),
    "disk": Word(module="disk", about="The disks (DATA_DIR) that workers run on.", is_group=True),
}


class LazyGroup(TyperGroup):
    """The group `ctl`: imports the module of a word when it is said, none for `--help`."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - as typer calls it
        """Return the words."""
        return list(WORDS)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | TyperGroup | None:  # noqa: ARG002
        """Return what a word stands for, or None."""
        word = WORDS.get(cmd_name)
        return None if word is None else _load(cmd_name, word)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the list of words for `--help`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, word.about) for name, word in WORDS.items()])


def add_ctl(app: typer.Typer) -> None:
    """Add `ctl` to the program's words."""
    ctl = typer.Typer(rich_markup_mode=None)
    ctl.callback(cls=LazyGroup, no_args_is_help=True)(_connect)
    app.add_typer(ctl, name="ctl")


def _connect(
    context: typer.Context,
    amqp_url: Annotated[
        str,
        typer.Option(
            envvar=["CTL_AMQP_URL", "AMQP_URL"],
            show_default=False,
            show_envvar=False,
            help="The broker; by default CTL_AMQP_URL or AMQP_URL.",
        ),
    ] = "",
    prefix: Annotated[
        str, typer.Option(envvar="AMQP_PREFIX", help="What all names at the broker begin with.")
    ] = "wa",
    service: Annotated[
        str | None,
        typer.Option(
            envvar="CTL_SERVICE",
            help="Read the queues that `broker add-backend SERVICE` has made, with the rights of a"
            " backend. Without it a queue is made for as long as the command runs.",
        ),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            envvar="CTL_TENANT",
            help="Ask the fleet for this tenant's sessions: all that a tenant's own user may see.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            envvar="CTL_TOKEN_FILE",
            help="A file with the token (JWT) that goes with commands, where tenants are told apart"
            " by tokens.",
        ),
    ] = None,
) -> None:
    """Speak to the gateway as a backend does, or look after the fleet as its operator.

    Everything but broker, dead, fleet, audit, snapshots and disk speaks only the contract, over
    RabbitMQ.

    Exit codes: 0 done; 1 refused or failed; 2 wrong arguments or configuration; 4 no outcome came
    in time, it may still come; 5 nobody knows whether it took effect; 130 interrupted.
    """
    context.obj = Connection(
        amqp_url=amqp_url, prefix=prefix, service=service, tenant=tenant, token_file=token_file
    )


def _load(name: str, word: Word) -> TyperCommand | TyperGroup | None:
    module = import_module(f"gateway_worker.ctl.words.{word.module}")
    group = typer.main.get_group(module.app)
    if word.is_group:
        return group
    found = group.commands.get(name)
    return found if isinstance(found, TyperCommand | TyperGroup) else None
