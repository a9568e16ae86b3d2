"""The library in this process: loaded, pointed at a server, and run.

`Library` has the client, which families of methods ask by `client` and `entry`. It runs the client
by the native entry point, not by `NewClient.connect`, which would parse every event in the
callback, print to the terminal, and keep two threads per session, one of them waking up five times
a second.
"""

import ctypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from google.protobuf.message import Message as ProtobufMessage
from neonize import _binder as binder
from neonize.client import NewClient
from neonize.exc import GetUserDevicesError
from neonize.proto.Neonize_pb2 import (
    JID,
    Device,
    GetJIDFromStoreReturnFunction,
    GetUserDevicesreturnFunction,
    JIDArray,
    StatusPrivacy,
)
from neonize.proto.waCompanionReg.WAWebProtobufsCompanionReg_pb2 import DeviceProps

from gateway_worker.host_protocol.media import MediaType
from gateway_worker.host_protocol.settings import NO_HISTORY, WHOLE_HISTORY, HostSettings
from gateway_worker.whatsapp.convert.audience import (
    CONTACTS,
    CONTACTS_EXCEPT,
    SELECTED,
    StatusSetting,
)
from gateway_worker.whatsapp.convert.people import PHONE_SERVER, device_address, without_device
from gateway_worker.whatsapp.host.jids import PLAIN, parse_jid
from gateway_worker.whatsapp.host.preload import Deferred
from gateway_worker.whatsapp.host.uploads import Uploads
from gateway_worker.whatsapp.host.votes import Votes

CLIENT_ID: Final = "host"
REMEMBERED_ANSWERS: Final = 256
T = TypeVar("T")
_LOG_LEVEL: Final = b"WARN"
_STATUS_SETTINGS: Final = {
    StatusPrivacy.CONTACTS: CONTACTS,
    StatusPrivacy.BLACKLIST: CONTACTS_EXCEPT,
    StatusPrivacy.WHITELIST: SELECTED,
}
_HISTORY_QUOTA_MB: Final = 10_240
_HISTORY_DAYS: Final = 3_650


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """What the library calls, each on a thread of its own choosing; none may raise.

    Attributes:
        event: An event's code and bytes, in order; the next one waits until it returns.
        qr: A new QR code.
        login: How pairing ended: `success`, `timeout` or the name of an error.
        log: The bytes of a log entry.
    """

    event: Callable[[int, bytes], None]
    qr: Callable[[str], None]
    login: Callable[[str], None]
    log: Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has a number.

    Attributes:
        number: The number that was asked about (digits).
        jid: Whom the server named.
        is_on_whatsapp: Whether it says that it is there.
    """

    number: str
    jid: str
    is_on_whatsapp: bool


def device_props(device_name: str, settings: HostSettings) -> DeviceProps:
    """Return what a new device says of itself when it is linked.

    Args:
        device_name: What the phone's list of devices shows.
        settings: What it is, and how much it wants of what was written before. Phones send some of
            that to each device; what nobody wants is not subscribed to.
    """
    platform = DeviceProps.PlatformType.Value(settings.platform.upper())
    props = DeviceProps(os=device_name, platformType=platform)
    if settings.history == NO_HISTORY:
        return props
    config = props.historySyncConfig
    config.inlineInitialPayloadInE2EeMsg = True
    config.storageQuotaMb = _HISTORY_QUOTA_MB
    if settings.history == WHOLE_HISTORY:
        props.requireFullSync = True
        config.fullSyncDaysLimit = _HISTORY_DAYS
        config.fullSyncSizeMbLimit = _HISTORY_QUOTA_MB
    return props


class Library:
    """One client of the library.

    Args:
        deferred: The stand-in that `preload` made; `load` must have been called.
        source: Where the device store is; see `file_source`.
        resume: The device to resume; it must be in the store, or the process aborts.
        device_name: What the phone's list of devices shows.
        settings: What a new device says of itself follows from them.
        large_bytes: Files of this size get room while they are uploaded; 0: none does.
    """

    def __init__(
        self,
        *,
        deferred: Deferred,
        source: str,
        resume: str | None,
        device_name: str,
        settings: HostSettings,
        large_bytes: int = 0,
    ) -> None:
        self._native: Any = deferred
        self._props = device_props(device_name, settings)
        self._client = NewClient(
            source,
            jid=None if resume is None else parse_jid(resume),
            props=self._props,
            uuid=CLIENT_ID,
        )
        self._keep: tuple[Any, ...] = ()
        self._uploads = Uploads(native=deferred, client=self._client, large_bytes=large_bytes)
        self._votes = Votes(native=deferred, client=self._client, lid_of=self.lid_of)
        self._answers: dict[tuple[str, ...], tuple[bytes, bytes, Any]] = {}

    def run(self, *, callbacks: Callbacks, subscribe: Iterable[int], proxy: str | None) -> str:
        """Connect and stay, even disconnected; returns only if it failed, with the reason.

        Args:
            callbacks: Called all the while.
            subscribe: The codes of the events to get.
            proxy: URL of a proxy, or None.
        """
        client = self._client
        jid = b"" if client.jid is None else client.jid.SerializeToString()
        props = self._props.SerializeToString()
        codes = bytearray(subscribe)
        wanted = (ctypes.c_char * len(codes)).from_buffer(codes)
        settings = (
            None if proxy is None else ctypes.byref(binder.ProxySettings(proxy)._to_c_struct())  # noqa: SLF001 - what connect() does
        )
        # The library keeps the addresses of these, so they must live as long as it runs.
        self._keep = (codes, wanted, settings, _wrap_all(callbacks))
        qr, login, event, log = self._keep[-1]
        error = self._native.Neonize(
            client.name.encode(),
            client.uuid,
            jid,
            len(jid),
            int(client.new_device),
            _LOG_LEVEL,
            qr,
            login,
            event,
            log,
            wanted,
            len(codes),
            props,
            len(props),
            b"",
            0,
            settings,
        )
        return (error or b"").decode(errors="replace")

    @property
    def client(self) -> NewClient:
        """The client, for what a family of methods asks of it."""
        return self._client

    def entry(self, name: str, *arguments: Any) -> bytes:
        """Call an entry of the native library, for what neonize's own function gets wrong.

        Args:
            name: The entry.
            arguments: What follows the client's name; a protobuf message is written as its bytes
                and their number.
        """
        written: list[Any] = []
        for argument in arguments:
            if isinstance(argument, ProtobufMessage):
                data = argument.SerializeToString()
                written += (data, len(data))
            else:
                written.append(argument)
        answer: bytes = getattr(self._native, name)(self._client.uuid, *written)
        return answer

    def disconnect(self) -> None:
        """Disconnect for good; `run` goes on until the process ends.

        The library's `stop` would end it too, but a send that is under way then finds no client
        and takes the process down.
        """
        self._client.disconnect()

    def me(self) -> Any:
        """Return the linked device. Only once connected: before, it aborts the process."""
        return self._client.get_me()

    def is_up(self) -> bool:
        """Whether there is a connection that has been logged in. Only once there is a device."""
        # "Logged in" alone outlasts the connection.
        return bool(self._client.is_connected and self._client.is_logged_in)

    def phone_of(self, lid: str) -> str | None:
        """Return the phone number of a LID's user part, if the store knows it."""
        try:
            found = self._client.get_pn_from_lid(JID(User=lid, Server="lid", **PLAIN))
        except Exception:  # noqa: BLE001 - not known, or no client: the LID has to do
            return None
        return found.User if found.Server == PHONE_SERVER and found.User else None

    def lid_of(self, jid: str) -> str | None:
        """Return the LID of a phone-number JID, if the store knows it."""
        return self._same_answer("lid", (jid,), self._native.GetLIDFromPN, _lid)

    def member(self, jid: str) -> str:
        """Return a person's JID as members of groups know each other: the LID, if it is known."""
        if not jid.endswith(f"@{PHONE_SERVER}"):
            return jid
        lid = self.lid_of(without_device(jid))
        return jid if lid is None else without_device(lid)

    def learn(self, jid: str) -> None:
        """Ask the server about a phone-number JID; the store then knows its LID, if it has one.

        Raises `GetUserInfoError`.
        """
        self._client.get_user_info(parse_jid(jid))

    def devices_of(self, *jids: str) -> frozenset[str]:
        """Return people's devices as JIDs; asks the server only about whom the library has none of.

        Raises `GetUserDevicesError`.
        """
        return self._same_answer("devices", jids, self._native.GetUserDevices, _devices)

    def look_up_devices_of(self, *jids: str) -> frozenset[str]:
        """Return many people's devices as JIDs, and remember no answer.

        What the library has been told of it knows until the client ends, and does not ask again.
        Raises `GetUserDevicesError`.
        """
        asked = _asked("devices", jids)
        return _devices(self._native.GetUserDevices(self._client.uuid, asked, len(asked)))

    def _same_answer(
        self, about: str, jids: tuple[str, ...], call: Any, read: Callable[[bytes], T]
    ) -> T:
        """Ask the library, which is cheap, and read its answer only if that has changed."""
        key = (about, *jids)
        asked, answer, result = self._answers.get(key) or (_asked(about, jids), None, None)
        said = call(self._client.uuid, asked, len(asked))
        if said == answer:
            return cast("T", result)
        found = read(said)
        if len(self._answers) >= REMEMBERED_ANSWERS:
            self._answers.clear()
        self._answers[key] = (asked, said, found)
        return found

    def who_has(self, *numbers: str) -> tuple[Holder, ...]:
        """Ask the server who has each number (digits), in whichever way that is written.

        It may leave numbers out. Raises `IsOnWhatsAppError`, also if it named nobody at all.
        """
        found = self._client.is_on_whatsapp(*(f"+{number}" for number in numbers))
        return tuple(
            Holder(
                number=one.Query.removeprefix("+"),
                jid=f"{one.JID.User}@{one.JID.Server}",
                is_on_whatsapp=one.IsIn,
            )
            for one in found
        )

    def status_setting(self) -> StatusSetting:
        """Ask the server who sees the account's status posts.

        Raises `GetStatusPrivacyError`.
        """
        settings = self._client.get_status_privacy()
        if not settings:
            return StatusSetting()
        # The library puts the one that counts first.
        first = settings[0]
        chosen = frozenset(f"{one.User}@{one.Server}" for one in first.List)
        return StatusSetting(name=_STATUS_SETTINGS[first.Type], chosen=chosen)

    def named_contacts(self) -> frozenset[str]:
        """Return the JIDs of all whom the account's phone knows by name, as far as it has said so.

        Only once connected, as `me`. Raises `ContactStoreError`.
        """
        return frozenset(
            f"{one.JID.User}@{one.JID.Server}"
            for one in self._client.contact.get_all_contacts()
            if one.Info.FullName
        )

    def ask_anything(self) -> None:
        """Have the server answer something: whom the account has blocked, which is never cached.

        Raises `GetBlocklistError`, also if it has answered with an error.
        """
        self._client.get_blocklist()

    def pair_phone(self, number: str) -> str:
        """Ask for a code to type on the phone. Raises whatever the library raises."""
        code: str = self._client.PairPhone(number, show_push_notification=True)
        return code

    def send(self, to: str, message: Any) -> Any:
        """Send a message and return the server's answer. Raises `SendMessageError`."""
        return self._client.send_message(parse_jid(to), message)

    def upload(self, path: Path, media_type: MediaType) -> Any:
        """Upload a file; see `Uploads.upload`."""
        return self._uploads.upload(path, media_type)

    def seal_vote(self, chat: str, *, target: Mapping[str, Any], options: Sequence[str]) -> Any:
        """Return an encrypted vote; see `Votes.seal`."""
        return self._votes.seal(chat, target=target, options=options)

    def open_vote(self, event: bytes) -> tuple[bytes, ...] | None:
        """Return what is chosen in a vote; see `Votes.open`."""
        return self._votes.open(event)

    def logout(self) -> None:
        """Unlink this device. Raises `LogoutError`."""
        self._client.logout()


def _asked(about: str, jids: tuple[str, ...]) -> bytes:
    people = [parse_jid(jid) for jid in jids]
    asked: bytes = (
        people[0].SerializeToString()
        if about == "lid"
        else JIDArray(JIDS=people).SerializeToString()
    )
    return asked


def _lid(answer: bytes) -> str | None:
    found = GetJIDFromStoreReturnFunction.FromString(answer)
    return None if found.Error or not found.Jid.User else device_address(found.Jid)


def _devices(answer: bytes) -> frozenset[str]:
    found = GetUserDevicesreturnFunction.FromString(answer)
    if found.Error:
        raise GetUserDevicesError(found.Error)
    return frozenset(device_address(one) for one in found.JID)


def parse_device(data: bytes) -> Any:
    """Return a device record from its bytes."""
    return Device.FromString(data)


def _wrap_all(callbacks: Callbacks) -> tuple[Any, Any, Any, Any]:
    def qr(_client: int, text: int) -> None:
        callbacks.qr(ctypes.string_at(text).decode())

    def login(_client: int, status: int) -> None:
        callbacks.login(ctypes.string_at(status).decode(errors="replace"))

    def event(_client: bytes, data: int, size: int, code: int) -> None:
        callbacks.event(code, ctypes.string_at(data, size) if size else b"")

    def log(data: int, size: int) -> None:
        if data and size > 0:
            callbacks.log(ctypes.string_at(data, size))

    return (
        binder.func_string(qr),
        binder.func_string(login),
        binder.func_callback_bytes(event),
        binder.func_callback_bytes2(log),
    )
