"""Sends messages of every kind: what the words leave out is filled in, files are uploaded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import typer

from gateway_contracts.client import GatewayClient
from gateway_contracts.client.upload import media_type_of
from gateway_contracts.content import SENDABLE_KINDS
from gateway_contracts.events.outcome import CommandScheduled, CommandSucceeded
from gateway_worker.ctl.asking import Question, print_answer
from gateway_worker.ctl.building import json_of, with_fields
from gateway_worker.ctl.speaking import outcomes_of, source_of, speak
from gateway_worker.ctl.uploads import TO_BE_UPLOADED, uploaded

_SAYING: Final = ("text", "caption", "question", "emoji", "name")
"""The fields that `TEXT` can be, the first that a kind has."""
_BY_MEDIA_TYPE: Final = {"image": "image", "video": "video", "audio": "audio"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message as it was typed; see `ctl send --help`."""

    session: str
    to: str
    text: str | None = None
    kind: str | None = None
    file: Path | None = None
    url: str | None = None
    mime_type: str | None = None
    fields: tuple[str, ...] = ()
    content: str | None = None
    target: str | None = None
    participant: str | None = None
    reply_to: str | None = None
    client_ref: str | None = None
    scheduled_at: str | None = None
    command_id: str | None = None


def send_draft(
    context: typer.Context, draft: Draft, *, waits: bool, seconds: float, as_json: bool
) -> NoReturn:
    """Upload what is to be uploaded, send it, print what became of it and end the program.

    Args:
        context: Has the connection.
        draft: The message.
        waits: Whether to wait for the sending of what is scheduled.
        seconds: How long to wait.
        as_json: Whether JSON is printed.
    """
    source = source_of(context)
    question(draft, media=media_of(draft), seconds=seconds).command(source)  # faults come first

    async def work(client: GatewayClient) -> int:
        media = media_of(draft)
        if draft.file is not None:
            media = await uploaded(client, draft.session, draft.file, mime_type=draft.mime_type)
        command = question(draft, media=media, seconds=seconds).command(source)
        answer: CommandSucceeded | CommandScheduled
        if waits:
            answer = await client.outcome(command, seconds=seconds)
        else:
            answer = await client.request(command, seconds=seconds)
        print_answer(answer, as_json=as_json)
        return 0

    speak(context, work, patterns=(outcomes_of(draft.session),), json=as_json)


def set_photo(
    context: typer.Context, session: str, group: str, photo: Path, *, seconds: float, as_json: bool
) -> NoReturn:
    """Upload a picture and make it a group's, print what became of it and end the program."""
    source = source_of(context)

    def asked(media: dict[str, str]) -> Question:
        data = {"group": group, "change": {"what": "photo", "media": media}}
        return Question(type="group.set", session=session, data=data, seconds=seconds)

    asked(TO_BE_UPLOADED).command(source)

    async def work(client: GatewayClient) -> int:
        media = await uploaded(client, session, photo)
        answer = await client.request(asked(media).command(source), seconds=seconds)
        print_answer(answer, as_json=as_json)
        return 0

    speak(context, work, patterns=(outcomes_of(session),), json=as_json)


def media_of(draft: Draft) -> dict[str, str] | None:
    """Return where the file of a message is, as far as that is known before it is uploaded.

    Raises:
        typer.BadParameter: There are two.
    """
    if draft.file is not None and draft.url is not None:
        raise typer.BadParameter("say --file or --url")
    if draft.url is not None:
        return {"source": "url", "url": draft.url}
    return TO_BE_UPLOADED if draft.file is not None else None


def question(draft: Draft, *, media: dict[str, str] | None, seconds: float) -> Question:
    """Return the command that sends a draft.

    Args:
        draft: The message.
        media: Where its file is.
        seconds: How long its outcome is waited for.

    Raises:
        typer.BadParameter: It says too little, too much, or what there is not.
    """
    reply = {"message_id": draft.reply_to, "participant": draft.participant}
    data = {
        "to": draft.to,
        "content": content_of(draft, media=media),
        "reply_to": reply if draft.reply_to is not None else None,
        "client_ref": draft.client_ref,
        "scheduled_at": draft.scheduled_at,
    }
    return Question(
        type="message.send",
        session=draft.session,
        data=data,
        seconds=seconds,
        command_id=draft.command_id,
    )


def content_of(draft: Draft, *, media: dict[str, str] | None) -> dict[str, Any]:
    """Return the content of a draft.

    Raises:
        typer.BadParameter: There is no such kind, or it has no place for what was said.
    """
    content = json_of(draft.content) if draft.content is not None else {}
    kind = str(content.get("kind") or draft.kind or kind_of(draft))
    model = SENDABLE_KINDS.get(kind)
    if model is None:
        raise typer.BadParameter(
            f"there is no kind {kind!r}; there are {', '.join(SENDABLE_KINDS)}"
        )
    content["kind"] = kind
    if draft.text is not None:
        saying = next((name for name in _SAYING if name in model.model_fields), None)
        if saying is None:
            raise typer.BadParameter(f"{kind} has no text; see --field")
        content[saying] = draft.text
    if media is not None:
        _needs(kind, "media", model.model_fields, "--file and --url are for files")
        content["media"] = media
    if "file_name" in model.model_fields and draft.file is not None:
        content.setdefault("file_name", draft.file.name)
    if draft.target is not None:
        _needs(kind, "target", model.model_fields, "--target is for what is about a message")
        content["target"] = {"message_id": draft.target, "participant": draft.participant}
    return with_fields(content, draft.fields)


def kind_of(draft: Draft) -> str:
    """Return the kind that a draft has if it does not say one."""
    if draft.file is None and draft.url is None:
        return "text"
    name = draft.file or Path(str(draft.url).partition("?")[0])
    media_type = draft.mime_type or media_type_of(name)
    return _BY_MEDIA_TYPE.get(media_type.partition("/")[0], "document")


def _needs(kind: str, name: str, fields: Any, why: str) -> None:
    if name not in fields:
        raise typer.BadParameter(f"{why}; {kind} has no {name}")
