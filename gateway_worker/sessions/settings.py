"""What a backend sets of its session, and what its host must know of that."""

from dataclasses import replace
from typing import Any

from gateway_contracts import (
    DevicePlatform,
    HistoryDepth,
    Ignore,
    Proxy,
    SessionSettings,
    SessionUpdateData,
)
from gateway_worker.host_protocol.settings import HostSettings
from gateway_worker.sessions.changes import SessionValues
from gateway_worker.sessions.chats import chat_of, spellings_of
from gateway_worker.sessions.ports import SessionRow


def host_settings(settings: SessionSettings) -> HostSettings:
    """Return what a session's host must know of its settings."""
    ignore, presence = settings.ignore or Ignore(), settings.presence
    return HostSettings(
        history=(settings.history or HistoryDepth.OFF).value,
        ignored=tuple(category.value for category in ignore.categories),
        ignored_chats=tuple(
            spelling for chat in ignore.chats for spelling in spellings_of(chat_of(chat))
        ),
        presence="" if presence is None or presence.state is None else presence.state.value,
        presence_of=()
        if presence is None
        else tuple(one.removeprefix("+") for one in presence.contacts),
        platform=(settings.platform or DevicePlatform.CHROME).value,
        typing=presence is not None and presence.typing,
    )


def needs_another_host(before: SessionSettings, after: SessionSettings) -> bool:
    """Whether what has changed is obeyed from a host's start on only."""
    return (
        before.proxy != after.proxy or host_settings(before).typing != host_settings(after).typing
    )


def told_settings(settings: SessionSettings) -> dict[str, Any]:
    """Return the settings as a backend may see them, by name."""
    values = {name: getattr(settings, name) for name in SessionSettings.model_fields}
    if settings.proxy is not None:
        values["proxy"] = Proxy(url=settings.proxy.url)
    return values


def with_changes(row: SessionRow, data: SessionUpdateData) -> tuple[SessionRow, SessionValues]:
    """Return a session as its backend wants it, and what is to be written for that.

    What is given is written also if the row has it already: that may be of a change whose commit
    has failed.
    """
    settings = row.settings.changed(data)
    is_given = any(getattr(data, name) is not None for name in SessionSettings.model_fields)
    values = SessionValues(
        settings=settings if is_given else None,
        labels=data.labels,
        metadata=data.metadata,
    )
    changed = replace(
        row,
        settings=settings,
        labels=row.labels if data.labels is None else data.labels,
        metadata=row.metadata if data.metadata is None else data.metadata,
    )
    return changed, values
