"""One message to the library, and what its answer is worth.

    whom ──► which devices ──► the message ──► who got it ──► journal
The library would do the first two by itself, and call a send a success when the server has taken
the frame, though it may have written the message to nobody. It knows a recipient by one spelling of
the number only, so that before a number is given up the server is asked who has it.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from gateway_worker.host_protocol.envelope import Request
from gateway_worker.host_protocol.failures import Failure, FailureKind
from gateway_worker.host_protocol.journal_format import Acknowledgement, Rejection
from gateway_worker.host_protocol.methods.messages import Chats, FindChats, SendMessage, Sent
from gateway_worker.host_protocol.methods.status import Reach
from gateway_worker.whatsapp.convert.failures import (
    ONE_MORE,
    query_failure,
    refusal,
    send_failure,
)
from gateway_worker.whatsapp.convert.people import LID_SERVER, PHONE_SERVER, without_device
from gateway_worker.whatsapp.convert.recipients import (
    GROUP_SERVER,
    RecipientError,
    destination,
    is_person,
    recipient,
)
from gateway_worker.whatsapp.host.audience import AudienceLookUp
from gateway_worker.whatsapp.host.compose import compose, secret_of
from gateway_worker.whatsapp.host.left_out import Remarks, SendRemarks
from gateway_worker.whatsapp.host.native import Library
from gateway_worker.whatsapp.host.send_journal import SendJournal
from gateway_worker.whatsapp.host.store_changes import StoreChanges

REMEMBERED_IDS: Final = 1_000
"""Recipients whose true id was asked for."""

LOOK_UP: Final = "the look-up of the recipient"
GIVEN_UP: Final = Failure(kind=FailureKind.TIMED_OUT, detail=f"{LOOK_UP} took too long")

Devices = frozenset[str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """Whom the library is to send to.

    Attributes:
        to: A JID as the server spells it.
        lid: Of a person, the LID.
        devices: Of a person, all devices but this one, as JIDs.
        is_own: Whether it is the account itself.
        audience: Of a status post, whom it reaches.
    """

    to: str
    lid: str | None = None
    devices: Devices = frozenset()
    is_own: bool = False
    audience: Reach = field(default_factory=Reach)

    def is_reached_without(self, missed: Devices) -> bool:
        """Whether any device of the recipients is left when some have got nothing."""
        if self.audience.devices:
            return len(missed) < self.audience.devices
        return not self.devices or not self.devices <= missed


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody under the ids that are known.

    Attributes:
        asked: The id that was asked about, as WhatsApp spells it.
        jid: By phone number when that is known, else the LID.
        lid: The LID.
    """

    asked: str
    jid: str
    lid: str | None = None


class SendFailedError(Exception):
    """A send that came to nothing, or to nothing that is known.

    Args:
        failure: What it means.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class Sender:
    """Sends messages one after the other, and answers queries beside them on another thread.

    Args:
        library: The client.
        journal: Told of every send before and after.
        remarks: What the library says meanwhile.
        changes: Of the device store.
        settle: Called when the library has sent something, before anybody is told.
        own: Returns the account's own JIDs with its device, as far as they are known.

    Attributes:
        audience: Who sees status posts.
    """

    def __init__(
        self,
        *,
        library: Library,
        journal: SendJournal,
        remarks: SendRemarks,
        changes: StoreChanges,
        settle: Callable[[], None],
        own: Callable[[], Devices],
    ) -> None:
        self._library = library
        self._journal = journal
        self._remarks = remarks
        self._changes = changes
        self._settle = settle
        self._own = own
        self.audience = AudienceLookUp(library=library, own=own)
        self._lock = threading.Lock()
        self._asking: int | None = None
        self._true_ids: OrderedDict[str, str] = OrderedDict()

    @property
    def journal(self) -> SendJournal:
        """Told of all that must not be done twice."""
        return self._journal

    def send(self, request: Request, *, audience: Callable[[], Reach] = Reach) -> Sent:
        """Send a message.

        Args:
            request: Calls for it.
            audience: Looks up whom a status post reaches.

        Raises:
            SendFailedError: Nobody got it, or it is not known whether anybody did.
        """
        call = request.call
        assert isinstance(call, SendMessage)
        try:
            to = destination(call.to)
            call = self._with_members(call, to)
            message = compose(call, chat=to)
        except RecipientError as error:
            raise _invalid(error) from None
        with self._lock:
            self._asking = request.request
        target = self._target(to, audience)
        with self._lock:
            is_given_up, self._asking = self._asking is None, None
        if is_given_up:
            raise SendFailedError(GIVEN_UP)
        if target.to != to:  # a key in it names the chat
            message = compose(call, chat=target.to)
        if message.HasField("pollUpdateMessage"):
            self._seal(message.pollUpdateMessage.vote, call, chat=target.to)
        return self._hand_over(request.command_id, target, message)

    def chats(self, request: Request) -> Chats:
        """Return the ids that a person's chat is known by, as asked of the server if wanted.

        Raises:
            SendFailedError: Nobody knows.
        """
        call = request.call
        assert isinstance(call, FindChats)
        person = self.person(call.to, asks=call.asks)
        if person.lid is None:
            return Chats(chats=(person.jid,))
        chats = dict.fromkeys((person.asked, person.lid, person.jid))
        return Chats(chats=tuple(chats))

    def person(self, to: str, *, asks: bool = True) -> Identity:
        """Return the ids of a person who is named by a number or a JID.

        Args:
            to: The number or the JID.
            asks: Whether WhatsApp is asked for a LID that is not known.

        Raises:
            SendFailedError: Nobody knows.
        """
        try:
            to = recipient(to)
        except RecipientError as error:
            raise _invalid(error) from None
        to = self._true_ids.get(to, to)
        lid = to if to.endswith(f"@{LID_SERVER}") else self._library.lid_of(to)
        if lid is None and not asks:
            return Identity(asked=to, jid=to)
        if lid is None:
            to, lid = self._look_up(to)
        lid = without_device(lid)
        return Identity(asked=to, jid=self._chat(lid), lid=lid)

    def reaching(self, to: str, give: Callable[[str], T]) -> T:
        """Have the library send something of its own to a chat; returns what `give` does.

        Args:
            to: A JID as the server spells it.
            give: Has it sent to that JID, or to another one by which the server knows the person.

        Raises:
            SendFailedError: None of the person's devices got it.
        """
        target = self._target(to, Reach)
        self._remarks.begin()
        try:
            answer = give(target.to)
        finally:
            remarks = self._remarks.end()
        missed = self._missed(target, remarks)
        if not target.is_reached_without(missed):
            raise SendFailedError(_nobody(remarks, missed))
        return answer

    def give_up(self, request: int) -> bool:
        """Never hand over a message whose recipient is still being looked up; for every thread.

        Returns:
            Whether that is so: nobody gets it. False once the message is with the library.
        """
        with self._lock:
            if self._asking != request:
                return False
            self._asking = None
            return True

    # Before the message.

    def _with_members(self, call: SendMessage, to: str) -> SendMessage:
        """Return a call that names the writers of other messages as members know each other.

        That is by LID in groups, and by what the backend says elsewhere.
        """
        if not to.endswith(f"@{GROUP_SERVER}"):
            return call
        library = self._library
        target, quoted = call.content.get("target"), call.quoted
        if target is not None and target.get("participant"):
            named = {**target, "participant": library.member(target["participant"])}
            call = msgspec.structs.replace(call, content={**call.content, "target": named})
        if quoted is not None:
            quoted = msgspec.structs.replace(quoted, participant=library.member(quoted.participant))
            call = msgspec.structs.replace(call, quoted=quoted)
        return call

    def _target(self, to: str, audience: Callable[[], Reach]) -> _Target:
        """Return whom the library is to send to, and the devices that it will find.

        The library would ask the same by itself in the middle of a send. Asked before, a query that
        fails is known to have sent nothing.

        Raises:
            SendFailedError: Nobody, nobody's device, or that could not be found out.
        """
        if not is_person(to):
            return _Target(to=to, audience=self._audience(audience))
        to = self._true_ids.get(to, to)
        lid = to if to.endswith(f"@{LID_SERVER}") else self._library.lid_of(to)
        if lid is None:
            to, lid = self._look_up(to)
        own = self._own()
        own_people = frozenset(without_device(one) for one in own)
        asked = {lid, *(one for one in own_people if one.endswith(f"@{LID_SERVER}"))}
        found = self._ask(lambda: self._library.devices_of(*sorted(asked)))
        devices = frozenset(one for one in found if without_device(one) == lid) - own
        if not devices:
            self._give_up_without_devices(to, lid)
        return _Target(to=to, lid=lid, devices=devices, is_own=lid in own_people)

    def _audience(self, audience: Callable[[], Reach]) -> Reach:
        reach = self._ask(audience)
        if reach.is_nobody:
            raise SendFailedError(_no_device("of anybody who would see it"))
        return reach

    def _give_up_without_devices(self, to: str, lid: str) -> NoReturn:
        """Raise what it means that nobody can be written to: the account may have ended.

        Unless the server says so a part of the answer may have been refused.
        """
        with self._lock:
            for number in [one for one, known in self._true_ids.items() if known == to]:
                del self._true_ids[number]
        phone = self._chat(lid)
        if phone.endswith(f"@{PHONE_SERVER}"):
            self._ask_for_id(phone)
        raise SendFailedError(_no_device("of the recipient"))

    def _look_up(self, to: str) -> tuple[str, str]:
        """Return the id of a recipient whose LID is not known yet, and that LID."""
        lid = self._learn(to)
        if lid is not None:
            return to, lid
        true_id = self._ask_for_id(to)
        lid = true_id if true_id.endswith(f"@{LID_SERVER}") else self._learn(true_id)
        if lid is None:
            # It has just said that there is such a recipient, so that this is no verdict.
            detail = "WhatsApp knows the recipient and does not tell its id"
            raise SendFailedError(
                Failure(kind=FailureKind.TIMED_OUT, detail=detail, attempts=ONE_MORE)
            )
        with self._lock:
            if len(self._true_ids) >= REMEMBERED_IDS:
                self._true_ids.popitem(last=False)
            self._true_ids[to] = true_id
        return true_id, lid

    def _learn(self, jid: str) -> str | None:
        """Return the LID of a phone-number JID after asking the server for it, if it has one."""
        failure: SendFailedError | None = None
        try:
            self._ask(lambda: self._library.learn(jid))
        except SendFailedError as error:
            failure = error
        lid = self._library.lid_of(jid)
        if lid is None and failure is not None:
            raise failure  # else only what else the answer said could not be read
        return lid

    def _ask_for_id(self, to: str) -> str:
        """Return whom the server knows by a number, in whichever way that is written."""
        number = to.partition("@")[0]
        found = self._ask(lambda: self._library.who_has(number))[0]
        if found.is_on_whatsapp:
            return found.jid
        if found.jid != to:  # it names somebody, and says nothing of whether it is there
            detail = f"no usable answer to {LOOK_UP}"
            raise SendFailedError(Failure(kind=FailureKind.TIMED_OUT, detail=detail))
        detail = "WhatsApp knows nobody by this number"
        raise SendFailedError(Failure(kind=FailureKind.UNKNOWN_RECIPIENT, detail=detail))

    @staticmethod
    def _ask(question: Callable[[], T]) -> T:
        try:
            return question()
        except Exception as error:  # noqa: BLE001 - the library's errors differ by their text only
            raise SendFailedError(query_failure(str(error), LOOK_UP)) from None

    def _seal(self, vote: Any, call: SendMessage, *, chat: str) -> None:
        """Fill in what is chosen in a poll, encrypted with the poll's secret.

        Raises:
            SendFailedError: The device does not have it.
        """
        try:
            sealed = self._library.seal_vote(
                chat, target=call.content["target"], options=call.content["options"]
            )
        except Exception:  # noqa: BLE001 - the library's errors differ by their text only
            detail = "this device has not got the poll itself, so that it cannot vote"
            raise SendFailedError(Failure(kind=FailureKind.INVALID, detail=detail)) from None
        vote.CopyFrom(sealed)

    # The message.

    def _hand_over(self, command: str | None, target: _Target, message: Any) -> Sent:
        """Give a message to the library, with a note before and one after.

        Raises:
            SendFailedError: Nobody got it, or it is not known whether anybody did.
        """
        secret = secret_of(message)
        try:
            if command is not None:
                self._journal.submitted(command, secret=secret)
        except OSError:
            detail = "the journal of sends is not writable"
            raise SendFailedError(Failure(kind=FailureKind.NOT_BEGUN, detail=detail)) from None
        try:
            started = time.monotonic()
            answer = self._give(target.to, message)
            seconds = time.monotonic() - started
        except SendFailedError as error:
            self._note_failure(command, error.failure)
            raise
        remarks = self._remarks.end()
        missed = self._missed(target, remarks)
        if not target.is_reached_without(missed):
            failure = _nobody(remarks, missed)
            self._note_failure(command, failure)
            self._settle()
            raise SendFailedError(failure)
        sent = Sent(
            message_id=answer.ID,
            chat=self._chat(target.to),
            chat_lid=None if target.lid is None else without_device(target.lid),
            timestamp=answer.Timestamp,
            seconds=seconds,
            devices_left_out=len(missed) + len(target.audience.without_devices),
            server_id=answer.ServerID or None,
        )
        if command is not None:
            self._journal.acknowledged(Acknowledgement(command_id=command, result=sent))
        self._settle()
        return sent

    def _give(self, to: str, message: Any) -> Any:
        mark = self._changes.mark()
        self._remarks.begin()
        try:
            return self._library.send(to, message)
        except Exception as error:  # noqa: BLE001 - as above
            commits = self._changes.commits_since(mark)
            own = 0 if self._remarks.end().has_lost_secret else 1  # that of the secret
            untouched = commits is not None and commits <= own
            raise SendFailedError(send_failure(str(error), untouched=untouched)) from None

    def _note_failure(self, command: str | None, failure: Failure) -> None:
        if command is not None:
            self._journal.rejected(Rejection.of(command, failure))

    # Who got it.

    def _missed(self, target: _Target, remarks: Remarks) -> Devices:
        """Return the devices of the recipient that got nothing.

        In a group every device gets the message, and one without its key asks for that again; so
        do those who see the status posts.
        """
        own_people = frozenset(without_device(one) for one in self._own())
        missed = remarks.left_out if target.is_own else remarks.strangers(own_people)
        if remarks.is_list_outdated and target.lid is not None:
            missed = [*missed, *(self._devices_now(target.lid) - target.devices - self._own())]
        return frozenset(missed)

    def _devices_now(self, lid: str) -> Devices:
        try:
            return self._library.devices_of(lid)
        except Exception:  # noqa: BLE001 - the message was sent all the same
            return frozenset()

    def _chat(self, to: str) -> str:
        user, _, server = to.partition("@")
        if server != LID_SERVER:
            return to
        phone = self._library.phone_of(user)
        return to if phone is None else f"{phone}@{PHONE_SERVER}"


def _invalid(error: RecipientError) -> SendFailedError:
    return SendFailedError(Failure(kind=FailureKind.INVALID, detail=str(error)))


def _no_device(whose: str) -> Failure:
    detail = f"WhatsApp names no device {whose}"
    return Failure(kind=FailureKind.TIMED_OUT, detail=detail, attempts=ONE_MORE)


def _nobody(remarks: Remarks, missed: Devices) -> Failure:
    """Return what it means that no device of the recipient was written to."""
    what = "the query for the recipient's keys"
    cause = remarks.cause_of(missed)
    if cause is None:
        detail = "the message could not be encrypted for any device of the recipient"
        return Failure(kind=FailureKind.REJECTED, detail=detail)
    if cause.status is None:
        detail = f"no usable answer to {what}"
        return Failure(kind=FailureKind.TIMED_OUT, detail=detail, attempts=ONE_MORE)
    failure = refusal(cause.status, what, retry_after_seconds=cause.retry_after_seconds)
    return msgspec.structs.replace(failure, attempts=ONE_MORE)
