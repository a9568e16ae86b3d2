"""Whether the account is shown as there, and whose presence is told: both last."""

from typing import Final

from gateway_contracts import (
    Done,
    PresenceSet,
    PresenceSubscribe,
    PresenceUnsubscribe,
    SessionUpdateData,
)
from gateway_contracts.settings import MOST_SUBSCRIBED, Presence
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs
from gateway_worker.commands.lanes import Lane
from gateway_worker.errors import InvalidCommandError
from gateway_worker.host_protocol.methods.presence import SetPresence, SubscribePresence
from gateway_worker.sessions.chats import chat_of, spellings_of
from gateway_worker.sessions.session.session import Session

_CONTACTS: Final = "/data/contacts"


async def set_state(context: Context, command: PresenceSet) -> Effect:
    """Show it, and keep it for the next connection."""
    session = await context.manager.find(command.subject)
    state = command.data.state
    await session.request(
        SetPresence(state=state.value), command_id=command.id, seconds=context.seconds_left()
    )
    return await _kept(session, _presence(session).model_copy(update={"state": state}))


async def subscribe(context: Context, command: PresenceSubscribe) -> Effect:
    """Ask WhatsApp to tell it, and keep that for the next connection."""
    session = await context.manager.find(command.subject)
    contacts = tuple(one.removeprefix("+") for one in command.data.contacts)
    if len({*_presence(session).contacts, *contacts}) > MOST_SUBSCRIBED:
        raise InvalidCommandError(
            f"a session is told the presence of {MOST_SUBSCRIBED} people at most", pointer=_CONTACTS
        )
    await session.request(
        SubscribePresence(people=contacts), command_id=command.id, seconds=context.seconds_left()
    )
    known = _presence(session)
    return await _kept(
        session,
        known.model_copy(update={"contacts": tuple(dict.fromkeys((*known.contacts, *contacts)))}),
    )


async def unsubscribe(context: Context, command: PresenceUnsubscribe) -> Effect:
    """Ask for it no more when the session next connects."""
    session = await context.manager.find(command.subject)
    gone = {chat for one in command.data.contacts for chat in spellings_of(chat_of(one))}
    known = _presence(session)
    left = tuple(one for one in known.contacts if chat_of(one) not in gone)
    return await _kept(session, known.model_copy(update={"contacts": left}))


def _presence(session: Session) -> Presence:
    return session.settings.presence or Presence()


async def _kept(session: Session, presence: Presence) -> Effect:
    values = await session.update(SessionUpdateData(presence=presence))
    return Effect(result=Done(), session=session, values=values)


HANDLERS: dict[str, Handler] = {
    "wa.presence.set.v1": Handler(run=set_state, lane=Lane.GESTURES, needs=Needs.CONNECTION),
    "wa.presence.subscribe.v1": Handler(run=subscribe, lane=Lane.GESTURES, needs=Needs.CONNECTION),
    "wa.presence.unsubscribe.v1": Handler(run=unsubscribe, lane=Lane.GESTURES),
}
