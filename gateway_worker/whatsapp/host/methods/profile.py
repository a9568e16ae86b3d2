"""What the account shows of itself, and to whom."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError
from neonize.proto.Neonize_pb2 import (
    PrivacySettings,
    SetGroupPhotoReturnFunction,
    SetPrivacySettingReturnFunction,
)

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.host_protocol.methods.contacts import Profile
from gateway_worker.host_protocol.methods.method import Done
from gateway_worker.host_protocol.methods.profile import (
    AskOwnProfile,
    AskPrivacy,
    Privacy,
    SetPrivacy,
    SetProfile,
)
from gateway_worker.host_protocol.wire import Person
from gateway_worker.whatsapp.convert.failures import query_failure
from gateway_worker.whatsapp.convert.people import PHONE_SERVER, address
from gateway_worker.whatsapp.convert.texts import clean, short
from gateway_worker.whatsapp.host.jids import parse_jid
from gateway_worker.whatsapp.host.methods.run import Run, Tools, ask
from gateway_worker.whatsapp.host.sending import SendFailedError

_SETTINGS: Final = {
    "last_seen": ("LastSeen", "last"),
    "online": ("Online", "online"),
    "picture": ("Profile", "profile"),
    "about": ("Status", "status"),
    "group_add": ("GroupAdd", "groupadd"),
    "read_receipts": ("ReadReceipts", "readreceipts"),
    "call_add": ("CallAdd", "calladd"),
}
"""By the contract's name: the library's field, and WhatsApp's name."""
_VALUES: Final = {
    "all": ("ALL", "all"),
    "contacts": ("CONTACTS", "contacts"),
    "contacts_except": ("CONTACT_BLACKLIST", "contact_blacklist"),
    "known": ("KNOWN", "known"),
    "match_last_seen": ("MATCH_LAST_SEEN", "match_last_seen"),
    "nobody": ("NONE", "none"),
}
"""Likewise of values."""
_NO_KEYS: Final = "no app state keys found"
_WORDS: Final = {library: contract for contract, (library, _) in _VALUES.items()}


def profile(tools: Tools, _request: Request, _call: AskOwnProfile) -> Profile:
    """Ask what the account shows of itself."""
    me = tools.library.me()
    jid = parse_jid(f"{me.JID.User}@{PHONE_SERVER}")
    found = ask(lambda: tools.library.client.get_user_info(jid), "the profile")
    if not found:
        detail = "WhatsApp has not told the account's own profile"
        raise SendFailedError(Failure(kind=FailureKind.TIMED_OUT, detail=detail))
    told = found[0].UserInfo
    return Profile(
        person=Person(
            jid=f"{me.JID.User}@{PHONE_SERVER}",
            lid=address(me.LID) if me.LID.User else None,
            phone_number=f"+{me.JID.User}",
            push_name=short(me.PushName) or None,
        ),
        about=clean(told.Status) or None,
        picture_id=short(told.PictureID) or None,
        devices=len(told.Devices),
    )


def change(tools: Tools, _request: Request, call: SetProfile) -> Done:
    """Change one thing of it."""
    client = tools.library.client
    if call.name is not None:
        _set_name(tools, call.name)
    if call.about is not None:
        about = call.about
        ask(lambda: client.set_status_message(about), "the new about")
    if call.picture is not None:
        _set_picture(tools, Path(call.picture))
    return Done()


def privacy(tools: Tools, _request: Request, _call: AskPrivacy) -> Privacy:
    """Ask who may see what."""
    return _told(tools.library.entry("GetPrivacySettings"), PrivacySettings)


def set_privacy(tools: Tools, _request: Request, call: SetPrivacy) -> Privacy:
    """Change who may see something; neonize's own function takes every answer for an error."""
    said = tools.library.entry(
        "SetPrivacySetting", _SETTINGS[call.setting][1].encode(), _VALUES[call.value][1].encode()
    )
    try:
        answer = SetPrivacySettingReturnFunction.FromString(said)
    except DecodeError:
        raise _no_answer() from None
    if answer.Error:
        raise SendFailedError(query_failure(answer.Error, "the change of the privacy settings"))
    return _settings(answer.settings)


def _set_name(tools: Tools, name: str) -> None:
    try:
        tools.library.client.set_profile_name(name)
    except Exception as error:  # noqa: BLE001 - the library's errors differ by their text only
        if _NO_KEYS in str(error):
            detail = "the phone has not shared its keys with this device yet"
            failure = Failure(kind=FailureKind.NOT_BEGUN, detail=detail, attempts=1)
        else:
            failure = query_failure(str(error), "the new name")
        raise SendFailedError(failure) from None


def _set_picture(tools: Tools, path: Path) -> None:
    try:
        data = path.read_bytes()
    except OSError as error:
        detail = f"the picture cannot be read: {error.strerror}"
        raise SendFailedError(Failure(kind=FailureKind.INVALID, detail=detail)) from None
    said = SetGroupPhotoReturnFunction.FromString(
        tools.library.entry("SetProfilePhoto", data, len(data))
    )
    if said.Error:
        raise SendFailedError(query_failure(said.Error, "the new picture"))


def _told(said: bytes, form: Any) -> Privacy:
    try:
        return _settings(form.FromString(said))
    except DecodeError:
        raise _no_answer() from None


def _settings(found: PrivacySettings) -> Privacy:
    """Return settings in the contract's words.

    Raises:
        SendFailedError: There are none: the library has hidden an error of the query.
    """
    names = found.DESCRIPTOR.enum_types_by_name["PrivacySetting"].values_by_number
    values = {
        setting: _WORDS.get(names[getattr(found, field)].name)
        for setting, (field, _) in _SETTINGS.items()
    }
    told = {setting: value for setting, value in values.items() if value is not None}
    if not told:
        raise _no_answer()
    return Privacy(settings=told)


def _no_answer() -> SendFailedError:
    detail = "WhatsApp has not told the privacy settings"
    return SendFailedError(Failure(kind=FailureKind.TIMED_OUT, detail=detail))


RUNS: Final[Mapping[type[Any], Run]] = {
    AskOwnProfile: profile,
    SetProfile: change,
    AskPrivacy: privacy,
    SetPrivacy: set_privacy,
}
