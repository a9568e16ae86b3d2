"""What the account shows of itself, and to whom."""

from collections.abc import Mapping
from typing import Final

from gateway_contracts import (
    Done,
    PrivacyGet,
    PrivacyInfo,
    PrivacySet,
    PrivacySetting,
    PrivacyValue,
    ProfileGet,
    ProfileInfo,
    ProfileSet,
)
from gateway_worker.commands.handlers.effect import Context, Effect, Handler, Needs
from gateway_worker.commands.lanes import Lane
from gateway_worker.commands.picture_preparation import PicturePreparation
from gateway_worker.commands.preparation import Preparation
from gateway_worker.errors import InvalidCommandError, UnsupportedError
from gateway_worker.host_protocol.methods.profile import (
    AskOwnProfile,
    AskPrivacy,
    Privacy,
    SetPrivacy,
    SetProfile,
)

_USUAL: Final = (
    PrivacyValue.ALL,
    PrivacyValue.CONTACTS,
    PrivacyValue.CONTACTS_EXCEPT,
    PrivacyValue.NOBODY,
)
_POSSIBLE: Final[Mapping[PrivacySetting, tuple[PrivacyValue, ...]]] = {
    PrivacySetting.ONLINE: (PrivacyValue.ALL, PrivacyValue.MATCH_LAST_SEEN),
    PrivacySetting.READ_RECEIPTS: (PrivacyValue.ALL, PrivacyValue.NOBODY),
    PrivacySetting.CALL_ADD: (PrivacyValue.ALL, PrivacyValue.KNOWN),
}
"""What WhatsApp's apps offer of settings that are not one of the usual."""


async def show(context: Context, command: ProfileGet) -> Effect:
    """Ask what the account shows of itself."""
    session = await context.manager.find(command.subject)
    found = await session.request(
        AskOwnProfile(), command_id=command.id, seconds=context.seconds_left()
    )
    return Effect(
        result=ProfileInfo(
            jid=found.person.jid,
            lid=found.person.lid,
            phone_number=found.person.phone_number,
            push_name=found.person.push_name,
            about=found.about,
            picture_id=found.picture_id,
            verified_name=found.person.verified_name,
        ),
        session=session,
    )


async def change(context: Context, command: ProfileSet) -> Effect:
    """Change one thing of it; once more changes nothing more."""
    if command.data.picture is not None and _picture_of(context) is None:
        raise UnsupportedError("this gateway sends no files")
    session = await context.manager.find(command.subject)
    await session.request(
        SetProfile(
            name=command.data.push_name, about=command.data.about, picture=_picture_of(context)
        ),
        command_id=command.id,
        seconds=context.seconds_left(),
    )
    return Effect(result=Done(), session=session)


def _prepare(context: Context, command: ProfileSet) -> Preparation | None:
    """Return what brings the picture here, if one is to be changed."""
    if command.data.picture is None or context.files is None:
        return None
    return PicturePreparation(outgoing=context.files.outgoing, source=command.data.picture)


def _picture_of(context: Context) -> str | None:
    found = context.preparation
    return str(found.path) if isinstance(found, PicturePreparation) else None


async def privacy(context: Context, command: PrivacyGet) -> Effect:
    """Ask who may see what."""
    session = await context.manager.find(command.subject)
    found = await session.request(
        AskPrivacy(), command_id=command.id, seconds=context.seconds_left()
    )
    return Effect(result=_told(found), session=session)


async def set_privacy(context: Context, command: PrivacySet) -> Effect:
    """Change who may see something.

    Raises:
        InvalidCommandError: WhatsApp has no such value of this setting.
        GatewayError: As the session says.
    """
    possible = _POSSIBLE.get(command.data.setting, _USUAL)
    if command.data.value not in possible:
        raise InvalidCommandError(
            f"{command.data.setting} may be {', '.join(possible)}", pointer="/data/value"
        )
    session = await context.manager.find(command.subject)
    found = await session.request(
        SetPrivacy(setting=command.data.setting.value, value=command.data.value.value),
        command_id=command.id,
        seconds=context.seconds_left(),
    )
    return Effect(result=_told(found), session=session)


def _told(found: Privacy) -> PrivacyInfo:
    return PrivacyInfo(
        settings={
            PrivacySetting(setting): PrivacyValue(value)
            for setting, value in found.settings.items()
        }
    )


HANDLERS: dict[str, Handler] = {
    "wa.profile.get.v1": Handler(run=show, lane=Lane.QUERIES, needs=Needs.CONNECTION),
    "wa.profile.set.v1": Handler(
        run=change, lane=Lane.QUERIES, needs=Needs.CONNECTION, prepare=_prepare
    ),
    "wa.privacy.get.v1": Handler(run=privacy, lane=Lane.QUERIES, needs=Needs.CONNECTION),
    "wa.privacy.set.v1": Handler(run=set_privacy, lane=Lane.QUERIES, needs=Needs.CONNECTION),
}
