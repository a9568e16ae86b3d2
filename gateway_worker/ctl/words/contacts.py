"""`contact …`."""

from typing import Annotated

import typer

from gateway_worker.ctl.options import (
    AsJson,
    Confirmed,
    Limit,
    Members,
    Person,
    Seconds,
    Session,
    confirm,
)
from gateway_worker.ctl.requesting import ask

app = typer.Typer(
    help="Ask about people, block, export, erase.", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def check(
    context: typer.Context,
    session: Session,
    numbers: Annotated[list[str], typer.Argument(metavar="NUMBER")],
    *,
    max_age: Annotated[
        int, typer.Option(min=0, metavar="SECONDS", help="How old an answer may be; 0 asks anew.")
    ] = 3600,
    seconds: Seconds = 120,
    as_json: AsJson = False,
) -> None:
    """Ask which numbers are on WhatsApp."""
    data: dict[str, object] = {"numbers": numbers, "max_age_seconds": max_age}
    ask(context, "contact.check", session, data, seconds=seconds, as_json=as_json)


@app.command()
def lookup(
    context: typer.Context,
    session: Session,
    people: Members,
    *,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Ask which number belongs to a LID, and the other way round."""
    ask(context, "contact.lookup", session, {"people": people}, seconds=seconds, as_json=as_json)


@app.command()
def picture(
    context: typer.Context,
    session: Session,
    person: Annotated[str, typer.Argument(metavar="CHAT", help="A person or a group.")],
    *,
    preview: Annotated[bool, typer.Option("--preview", help="The small one.")] = False,
    store: Annotated[bool, typer.Option("--store", help="Put it into the bucket, too.")] = False,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Ask for somebody's picture."""
    data: dict[str, object] = {"contact": person, "preview": preview, "store": store}
    ask(context, "contact.picture", session, data, seconds=seconds, as_json=as_json)


@app.command()
def link(
    context: typer.Context,
    session: Session,
    other: Annotated[
        str | None, typer.Argument(metavar="LINK", help="Somebody's; by default the account's.")
    ] = None,
    *,
    revoke: Annotated[bool, typer.Option("--revoke", help="Make a new one.")] = False,
    seconds: Seconds = 60,
    as_json: AsJson = False,
) -> None:
    """Show the account's link, or whose another one is."""
    data: dict[str, object] = {"link": other, "revoke": revoke}
    ask(context, "contact.link", session, data, seconds=seconds, as_json=as_json)


def _about_one(action: str, text: str, question: str | None = None) -> None:
    """Add a word that is a command about one person and nothing more.

    Args:
        action: The word, and the second part of the command's type.
        text: Its help.
        question: What is asked before, if it cannot be undone.
    """

    def word(
        context: typer.Context,
        session: Session,
        person: Person,
        *,
        yes: Confirmed = question is None,
        seconds: Seconds = 60,
        as_json: AsJson = False,
    ) -> None:
        confirm(question or "", yes=yes)
        ask(
            context,
            f"contact.{action}",
            session,
            {"contact": person},
            seconds=seconds,
            as_json=as_json,
        )

    app.command(action, help=text)(word)


_about_one("info", "Show what somebody shows of themselves.")
_about_one("block", "Let nothing from somebody through.")
_about_one("unblock", "Let somebody through again.")
_about_one("export", "Write what is stored of somebody into a file.")
_about_one(
    "erase",
    "Erase what is stored of somebody.",
    "Erase everything that the session has stored of this person?",
)


def _listing(name: str, action: str, items: str, text: str) -> None:
    """Add a word that lists people."""

    def word(
        context: typer.Context,
        session: Session,
        *,
        limit: Limit = 200,
        seconds: Seconds = 60,
        as_json: AsJson = False,
    ) -> None:
        from gateway_worker.ctl.asking import Question, show_pages  # noqa: PLC0415

        question = Question(type=f"contact.{action}", session=session, seconds=seconds)
        show_pages(context, question, items, limit=limit, none="there is nobody", as_json=as_json)

    app.command(name, help=text)(word)


_listing("list", "list", "people", "List with whom the session has exchanged messages.")
_listing("blocklist", "blocklist", "contacts", "List who is blocked.")
