"""The library in this process: loaded, pointed at a server, and run.

`Library` has the client, which families of methods ask by `client` and `entry`. It runs the client
by the native entry point, not by `NewClient.connect`, which would parse every event in the
callback, print to the terminal, and keep two threads per session, one of them waking up five times
a second.
"""

import ctypes
import mmap
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from google.protobuf.message import Message as ProtobufMessage
from neonize import _binder as binder
from neonize.client import NewClient
from neonize.exc import BuildPollVoteError, GetUserDevicesError, UploadError
from neonize.proto.Neonize_pb2 import (
    JID,
    ArrayString,
    BuildPollVoteReturnFunction,
    Device,
    GetJIDFromStoreReturnFunction,
    GetUserDevicesreturnFunction,
    JIDArray,
    Message,
    MessageInfo,
    MessageSource,
    ReturnFunctionWithError,
    StatusPrivacy,
    UploadReturnFunction,
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
from gateway_worker.whatsapp.host.go_runtime import GoRuntime
from gateway_worker.whatsapp.host.preload import Deferred

PUBLISHED_ROOT: Final = bytes.fromhex(
    "142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b"
)
"""Root of the certificates of WhatsApp's servers, as the library carries it: a public key."""
CLIENT_ID: Final = "host"
REMEMBERED_ANSWERS: Final = 256
KEPT_STATEMENTS: Final = 32
"""Per connection of the store, of which there are two."""
T = TypeVar("T")
_LOG_LEVEL: Final = b"WARN"
_DEVICE: Final = re.compile(r"[0-9]+(\.[0-9]+)?(:[0-9]+)?@[a-z.]+")
_DEVICE_SEPARATOR: Final = "|\x01|"


_MEDIA_TYPES: Final = {
    MediaType.IMAGE: 0,
    MediaType.VIDEO: 1,
    MediaType.AUDIO: 2,
    MediaType.DOCUMENT: 3,
}
"""The library's numbers; it crashes over one that it does not know."""
_STATUS_SETTINGS: Final = {
    StatusPrivacy.CONTACTS: CONTACTS,
    StatusPrivacy.BLACKLIST: CONTACTS_EXCEPT,
    StatusPrivacy.WHITELIST: SELECTED,
}
_HISTORY_QUOTA_MB: Final = 10_240
_HISTORY_DAYS: Final = 3_650
_LARGEST_UPLOAD: Final = (1 << 31) - 1
"""It takes the size as a C int."""


class UnusableFileError(Exception):
    """A file that cannot be uploaded; the text says why."""


class StoreUnreadableError(Exception):
    """The device store cannot be read, now or for good."""


class RootKeyError(Exception):
    """The library's root key is not where it was expected."""


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
        self._large_bytes = large_bytes
        self._runtime: GoRuntime | None = None
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
            found = self._client.get_pn_from_lid(JID(User=lid, Server="lid", **_PLAIN))
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

    def know_devices_of(self, *jids: str) -> None:
        """Have the library know people's devices; what it knows stays until the client ends.

        Raises `GetUserDevicesError`.
        """
        asked = _asked("devices", jids)
        _devices(self._native.GetUserDevices(self._client.uuid, asked, len(asked)))

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
        """Encrypt a file, upload it, and return the server's answer.

        The library reads all of it into memory of its own.

        Raises:
            UnusableFileError: It is not there, is no file, or is empty or too large.
            UploadError: WhatsApp did not take it.
        """
        with _mapped(path) as content, self._room_for(len(content)):
            data = (ctypes.c_char * len(content)).from_buffer(content)
            try:
                said = self._upload()(
                    self._client.uuid,
                    ctypes.addressof(data),
                    len(content),
                    _MEDIA_TYPES[media_type],
                )
            finally:
                del data  # while it is there, the mapping cannot be closed
        answer = UploadReturnFunction.FromString(said)
        if answer.Error:
            raise UploadError(answer.Error)
        return answer.UploadResponse

    def _room_for(self, size_bytes: int) -> AbstractContextManager[None]:
        """Return what gives the library room for a large file, for messages to go on beside it."""
        if not 0 < self._large_bytes <= size_bytes:
            return nullcontext()
        self._runtime = self._runtime or self._native.runtime()
        return nullcontext() if self._runtime is None else self._runtime.room(size_bytes)

    def _upload(self) -> Any:
        """Return the entry point for uploads as one that takes an address.

        neonize declares it with bytes, which would be a copy of the file.
        """
        declared = self._native.resolve("Upload")
        prototype = ctypes.CFUNCTYPE(
            declared.restype, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int
        )
        upload = prototype(ctypes.cast(declared, ctypes.c_void_p).value or 0)
        upload.errcheck = declared.errcheck
        return upload

    def seal_vote(self, chat: str, *, target: Mapping[str, Any], options: Sequence[str]) -> Any:
        """Return what is chosen in a poll, encrypted with the poll's secret from the store.

        Args:
            chat: The JID of the chat that the poll is in.
            target: The poll: `message_id`, `participant` (who wrote it), `from_me`.
            options: What is chosen, as the poll writes it.

        Raises:
            BuildPollVoteError: The store does not have the secret.
        """
        writer = target["participant"]
        if writer.endswith(f"@{PHONE_SERVER}"):  # in keys people stand by LID
            writer = self.lid_of(writer) or writer
        source = MessageSource(
            Chat=parse_jid(chat),
            Sender=parse_jid(without_device(writer)),
            IsFromMe=target["from_me"],
            IsGroup=chat.endswith("@g.us"),
        )
        info = MessageInfo(ID=target["message_id"], MessageSource=source)
        poll = _complete(info).SerializeToString()
        names = ArrayString(data=options).SerializeToString()
        said = self._native.BuildPollVote(self._client.uuid, poll, len(poll), names, len(names))
        answer = BuildPollVoteReturnFunction.FromString(said)
        if answer.Error:
            raise BuildPollVoteError(answer.Error)
        return answer.PollVote.pollUpdateMessage.vote

    def open_vote(self, event: bytes) -> tuple[bytes, ...] | None:
        """Return the hashes of what is chosen in a poll; None if the store lacks the poll's secret.

        Args:
            event: The library's bytes of the message event that brought the vote.
        """
        for form in _vote_forms(event):
            # neonize's own function wants a parsed event, and takes the answer for another.
            said = self._native.DecryptPollVote(self._client.uuid, form, len(form))
            said = binder.consume_bytes_struct(said, None, ())
            answer = ReturnFunctionWithError.FromString(said)
            if not answer.Error:
                return tuple(answer.PollVoteMessage.selectedOptions)
        return None

    def logout(self) -> None:
        """Unlink this device. Raises `LogoutError`."""
        self._client.logout()


_PLAIN: Final = {"Device": 0, "Integrator": 0, "IsEmpty": False, "RawAgent": 0}


def _mapped(path: Path) -> mmap.mmap:
    """Return a file's content without reading it.

    Raises:
        UnusableFileError: It is not there, is no file, or is empty or too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UnusableFileError(f"the file cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnusableFileError("there is something else in the file's place")
        if not 0 < status.st_size <= _LARGEST_UPLOAD:
            raise UnusableFileError(f"no file of {status.st_size} bytes can be uploaded")
        # Writable, though nobody writes, because Python tells the address of no other mapping.
        return mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_COPY)
    finally:
        os.close(descriptor)


def file_source(store: Path) -> str:
    """Return a file's name for the library, with how it is to be written.

    The library makes `file:NAME?_foreign_keys=on` of it and gives that to SQLite's driver; what is
    after a question mark in the name are parameters of the driver.

    The driver does not wait for the disk: while it did, a message whose key is used up already
    would be nowhere but in the memory of a process that may be killed. Whoever uses this forces the
    write-ahead log to the disk, after arrivals and before the answer to a send.

    It keeps the statements that it has compiled. The library compiles the same dozen again for each
    message, and our triggers with them: that was an eighth of all that a host does.
    """
    pragmas = "_journal_mode=WAL&_synchronous=NORMAL&_busy_timeout=5000&_foreign_keys=on"
    return f"{store}?{pragmas}&_stmt_cache_size={KEPT_STATEMENTS}&_="


def log_of(store: Path) -> Path:
    """Return the write-ahead log of a store."""
    return store.with_name(store.name + "-wal")


def stored_devices(deferred: Deferred, source: str) -> list[str]:
    """Return the device JIDs that a store holds; creates the store if there is none.

    neonize's own reading of the answer fails on a push name with a comma, and takes an error, which
    is told in the place of the devices, for one of them.

    Raises:
        StoreUnreadableError: The store could not be read; what it holds is not known.
    """
    ignore = binder.func_callback_bytes2(lambda _data, _size: None)
    native: Any = deferred
    answer = native.GetAllDevices(source.encode(), ignore).decode(errors="replace")
    devices = [row.partition(",")[0] for row in answer.split(_DEVICE_SEPARATOR) if row]
    if not all(_DEVICE.fullmatch(device) for device in devices):
        raise StoreUnreadableError("the library cannot read the device store")
    return devices


def parse_jid(text: str) -> JID:
    """Return a JID from `user:device@server`."""
    user, _, server = text.partition("@")
    user, _, device = user.partition(":")
    return JID(User=user, Server=server or PHONE_SERVER, **{**_PLAIN, "Device": int(device or 0)})


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


def _complete(message: Any) -> Any:
    """Give every required field of a protobuf message that has none the value that means none."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            if field.is_required or (not field.is_repeated and message.HasField(field.name)):
                _complete(getattr(message, field.name)).SetInParent()
        elif field.is_required and not message.HasField(field.name):
            setattr(message, field.name, field.default_value)
    return message


def _vote_forms(event: bytes) -> Iterable[bytes]:
    """Yield a vote's event as it is, and under the voter's other id, if there is one.

    The key depends on the id that the voter's device has put in, and that may be either.
    """
    yield event
    parsed = Message.FromString(event)
    source = parsed.Info.MessageSource
    if source.SenderAlt.User:
        source.Sender.CopyFrom(source.SenderAlt)
        yield parsed.SerializeToString()


def parse_device(data: bytes) -> Any:
    """Return a device record from its bytes."""
    return Device.FromString(data)


def install_root(library: str, key: bytes) -> None:
    """Trust another root for the certificates of the server; call it before connecting.

    Args:
        library: Path of the shared object.
        key: 32 bytes.

    Raises:
        RootKeyError: The published root is not exactly once in the library's data.
    """
    hits = [
        start + match.start()
        for start, end in _writable(library)
        for match in re.finditer(
            re.escape(PUBLISHED_ROOT), (ctypes.c_char * (end - start)).from_address(start)
        )
    ]
    if len(hits) != 1:
        raise RootKeyError(f"the root key was found {len(hits)} times, once is expected")
    if len(key) != len(PUBLISHED_ROOT):
        raise RootKeyError(f"a root key has {len(PUBLISHED_ROOT)} bytes")
    ctypes.memmove(hits[0], key, len(key))


def _writable(library: str) -> Iterable[tuple[int, int]]:
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, rights, _, _, _, *path = line.split(maxsplit=5)
        if path == [library] and rights.startswith("rw"):
            start, end = span.split("-")
            yield int(start, 16), int(end, 16)


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
