"""A simulated phone: what a test, a demo or the control API holds in its hand.

Three things run inside it: stanzas are taken from the service and handled in order; messages are
handed to the scripts, in order but apart, so that a slow script never stops the receiving; and the
calls of whoever holds it. All of it belongs to one event loop.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from gateway_worker.sandbox.phones import content, polls, sealing
from gateway_worker.sandbox.phones.app_state import key_share
from gateway_worker.sandbox.phones.arrivals import Arrivals
from gateway_worker.sandbox.phones.channels import ChannelPosts
from gateway_worker.sandbox.phones.errors import NoMediaError, UnknownDeviceError
from gateway_worker.sandbox.phones.groups import GroupChats
from gateway_worker.sandbox.phones.history import notification, packed
from gateway_worker.sandbox.phones.incoming import Incoming
from gateway_worker.sandbox.phones.linking import Linker
from gateway_worker.sandbox.phones.media.composing import compose
from gateway_worker.sandbox.phones.media.downloads import Downloads
from gateway_worker.sandbox.phones.media.uploads import upload
from gateway_worker.sandbox.phones.outgoing import Outgoing
from gateway_worker.sandbox.phones.recipients import AddressBook, address_of
from gateway_worker.sandbox.phones.records import PATIENCE_SECONDS, HandlingError, PhoneRecords
from gateway_worker.sandbox.phones.script_runner import ScriptRunner
from gateway_worker.sandbox.phones.values import ChatMessage, Companion, ReceiptKind
from gateway_worker.sandbox.phones.writing import Writer
from gateway_worker.sandbox.service.profiles import change_identity, set_picture
from gateway_worker.sandbox.service.reachout import give_token
from gateway_worker.sandbox.signal.sender_keys import SenderKeyBook
from gateway_worker.sandbox.signal.sessions import SessionBook
from gateway_worker.sandbox.wire.jid import Jid
from gateway_worker.sandbox.wire.node import Node

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from gateway_worker.sandbox.phones.history import HistoryPart
    from gateway_worker.sandbox.phones.media.attachment import Attachment
    from gateway_worker.sandbox.phones.media.draft import MediaDraft
    from gateway_worker.sandbox.phones.scripts import Script
    from gateway_worker.sandbox.phones.wa_e2e import Message
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.calls import Call
    from gateway_worker.sandbox.service.pairing import PairCodeFinish, PairCodeHello
    from gateway_worker.sandbox.service.profile import Profile
    from gateway_worker.sandbox.service.service import Service
    from gateway_worker.sandbox.wire.node import Attrs

PUBLISHED_KEYS: Final = 100
REFILL_BELOW: Final = 25


class Phone(PhoneRecords):
    """Device 0 of an account. Made by `Phone.open`.

    Recipients and mentions are given as digits of a phone number, as an address in text form, or
    as a `Jid`; messages as the value this phone recorded or by id. A recipient can be a group as
    well, or `status@broadcast`.

    Attributes:
        groups: what it does with groups.
    """

    def __init__(
        self, *, service: Service, account: Account, book: SessionBook, lazy: bool
    ) -> None:
        super().__init__()
        self._service = service
        self._account = account
        self._book = book
        self._scripts = ScriptRunner(
            phone=self, on_error=lambda error: self._failed("script", error)
        )
        self._downloads = Downloads(
            store=service.media.store, on_error=lambda error: self._failed("media", error)
        )
        self._lazy = lazy
        self._linker = Linker(linking=service.linking, account=account, identity=book.identity)
        self._addresses = AddressBook(service=service, account=account)
        self.groups = GroupChats(service=service, account=account, addresses=self._addresses)
        sender_keys = SenderKeyBook()
        outgoing = Outgoing(service=service, account=account, book=book, sender_keys=sender_keys)
        self._sender_keys = sender_keys
        self._writer = Writer(
            service=service,
            account=account,
            addresses=self._addresses,
            outgoing=outgoing,
            records=self,
        )
        self._posts = ChannelPosts(service=service, account=account)
        self._incoming = Incoming(
            service=service,
            account=account,
            book=book,
            sender_keys=sender_keys,
            outgoing=outgoing,
            on_message=self._received,
            on_receipt=self.receipts.append,
            on_presence=self.presences.append,
        )
        self._arrivals = Arrivals(
            incoming=self._incoming,
            lazy=lazy,
            is_watched=lambda: self.is_watched,
            on_handled=self._refill,
            on_error=self._failed,
        )

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        service: Service,
        number: str,
        push_name: str = "",
        lid: str | None = None,
        hides_number: bool = False,
        lazy: bool = False,
    ) -> AsyncIterator[Phone]:
        """Register an account and keep its phone switched on until the block is left.

        Args:
            service: where.
            number: digits with country code.
            push_name: the name shown to others.
            lid: digits of the account's LID; derived from the number when not given.
            hides_number: whether others know it by LID only.
            lazy: decrypt messages only when somebody looks.

        Raises:
            AccountExistsError: the number or the LID is taken.
        """
        book = SessionBook.generate()
        account = service.accounts.register(
            number=number,
            push_name=push_name,
            bundle=book.bundle(),
            prekeys=book.new_one_time_keys(PUBLISHED_KEYS),
            lid_user=lid,
            hides_number=hides_number,
        )
        phone = cls(service=service, account=account, book=book, lazy=lazy)
        running = [
            asyncio.create_task(phone._arrivals.run(), name="phone-receive"),
            asyncio.create_task(phone._scripts.run(), name="phone-scripts"),
        ]
        account.switch_on(phone)
        try:
            yield phone
        finally:
            account.switch_off()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await phone._downloads.stop()

    @property
    def jid(self) -> Jid:
        """LID of the account and of this device."""
        return self._account.lid

    @property
    def number(self) -> str:
        """Digits of the phone number."""
        return self._account.number.user

    @property
    def push_name(self) -> str:
        """The name shown to others."""
        return self._account.push_name

    @property
    def companions(self) -> tuple[Jid, ...]:
        """LID addresses of the linked devices, lowest first."""
        return self._account.addresses[1:]

    @property
    def reused_keys(self) -> int:
        """Messages of others that came under a key used before, and were asked for again."""
        self.look()
        return self._incoming.reused_keys

    # --- companions

    async def scan(self, qr_text: str) -> Companion:
        """Link the companion that shows this QR; see `Linker.scan` for the errors."""
        return await self._linker.scan(qr_text)

    async def enter_code(
        self,
        code: str,
        *,
        timeout: float = PATIENCE_SECONDS,  # noqa: ASYNC109 - part of the error's text
    ) -> Companion:
        """Link the companion that shows this code; see `Linker.enter_code` for the errors."""
        return await self._linker.enter_code(code, timeout=timeout)

    def unlink(self, device: int | Jid | Companion) -> None:
        """Remove a companion, by device number, address or the value `scan` returned.

        Raises:
            UnknownDeviceError: this account has no such companion.
        """
        address = device.device if isinstance(device, Companion) else device
        number = address if isinstance(address, int) else address.device
        if self.jid.with_device(number) not in self.companions:
            raise UnknownDeviceError(f"no companion with device number {number}")
        self._service.linking.unlink(self.jid.with_device(number))

    # --- writing

    async def send_text(
        self,
        to: str | Jid,
        text: str,
        *,
        reply_to: str | ChatMessage | None = None,
        mentions: Sequence[str | Jid] = (),
    ) -> str:
        """Write to somebody; calls leave in their order.

        Args:
            to: the recipient.
            text: the text.
            reply_to: a message of the same chat to quote.
            mentions: who is named; the text should hold `@` and the digits of each.

        Returns:
            The message id, once the service has acked (or withheld the ack by a fault).

        Raises:
            UnknownRecipientError: nobody has this address or one of the mentioned ones.
            UnknownMessageError: `reply_to` is an id this phone does not know.
            NotDeliveredError: the service refused the message.
        """
        return await self._writer.write(
            to, content.text_content(text), reply_to=reply_to, mentions=mentions
        )

    async def send_content(
        self,
        to: str | Jid,
        content_json: Mapping[str, Any],
        *,
        reply_to: str | ChatMessage | None = None,
        mentions: Sequence[str | Jid] = (),
    ) -> str:
        """Write content of any kind, as it stands; what it refers to (media) must exist.

        Args:
            to: the recipient.
            content_json: the library's `Message` as protojson, such as
                `{"locationMessage": {"degreesLatitude": 52.5, "degreesLongitude": 13.4}}`.
            reply_to: a message of the same chat to quote.
            mentions: who is named.

        Returns and raises as `send_text`, and:

        Raises:
            InvalidContentError: it is no content, or of a kind that cannot quote or name.
        """
        message = content.from_json(content_json)
        return await self._writer.write(to, message, reply_to=reply_to, mentions=mentions)

    async def send_media(
        self,
        to: str | Jid,
        draft: MediaDraft,
        *,
        reply_to: str | ChatMessage | None = None,
        mentions: Sequence[str | Jid] = (),
    ) -> str:
        """Encrypt a file, upload it and write about it.

        Args:
            to: the recipient.
            draft: the file and how it is shown.
            reply_to: a message of the same chat to quote.
            mentions: who is named.

        Returns and raises as `send_text`, and:

        Raises:
            InvalidContentError: something is said of the file that cannot be said of its kind.
            MediaUnavailableError: a rule refuses the upload.
            OSError: the file at the draft's path cannot be read.
        """
        device = self._account.devices[self.jid.device]
        uploaded = await upload(draft, media=self._service.media, device=device)
        return await self._writer.write(
            to,
            compose(draft, uploaded),
            reply_to=reply_to,
            mentions=mentions,
            phone_only=draft.phone_only,
        )

    async def react(self, message: str | ChatMessage, emoji: str) -> str:
        """React to a message; an empty emoji takes the reaction back.

        To what a community announces the reaction is encrypted once more. Returns and raises as
        `send_text`, and:

        Raises:
            InvalidContentError: that announcement came without a secret.
        """
        target = self.message(message)
        reaction = content.reaction_content(emoji, target.as_target())
        group = self._service.groups.find(target.chat)
        if group is not None and group.is_announcements:
            reaction = sealing.sealed_reaction(reaction, target, sender=self.jid)
        return await self._writer.send(target.chat, reaction)

    async def comment(self, message: str | ChatMessage, text: str) -> str:
        """Comment on what a community announces.

        Returns and raises as `send_text`, and:

        Raises:
            InvalidContentError: the announcement came without a secret.
        """
        target = self.message(message)
        comment = sealing.sealed_comment(text, target, sender=self.jid)
        return await self._writer.send(target.chat, comment)

    async def answer_event(
        self, message: str | ChatMessage, response: str, *, extra_guests: int = 0
    ) -> str:
        """Say whether this account comes to an appointment.

        Args:
            message: the appointment.
            response: `GOING`, `NOT_GOING` or `MAYBE`.
            extra_guests: how many others come along.

        Returns and raises as `send_text`, and:

        Raises:
            InvalidContentError: it is no appointment, came without a secret, or the answer is none.
        """
        target = self.message(message)
        answer = sealing.event_response(
            target, response, extra_guests=extra_guests, sender=self.jid
        )
        return await self._writer.send(target.chat, answer)

    def give_secrets(self, *, on: bool = True) -> None:
        """Give each message from now on a secret, as newer apps do, or not, as older ones.

        An edit of a message that has one is encrypted with it.
        """
        self._writer.gives_secrets = on

    async def send_poll(
        self, to: str | Jid, question: str, options: Sequence[str], *, selectable_count: int = 1
    ) -> str:
        """Ask a question with answers to choose from (0: any number of them).

        Returns and raises as `send_text`.
        """
        poll = polls.poll_content(question, options, selectable_count=selectable_count)
        return await self._writer.send(to, poll)

    async def vote(self, message: str | ChatMessage, options: Sequence[str]) -> str:
        """Vote in a poll; no options take the vote back.

        Returns and raises as `send_text`, and:

        Raises:
            InvalidContentError: the message is no poll, or has no such option.
        """
        target = self.message(message)
        vote = polls.vote_content(target, options, voter=self.jid)
        return await self._writer.send(target.chat, vote)

    def chosen_in(self, vote: str | ChatMessage) -> tuple[str, ...]:
        """Return what somebody has chosen in a poll that this phone knows.

        Raises:
            InvalidContentError: the vote cannot be opened.
            UnknownMessageError: the phone does not know the vote, or the poll.
        """
        message = self.message(vote)
        return polls.chosen_in(message, self.message(message.target_id or ""))

    async def edit(self, message: str | ChatMessage, text: str) -> str:
        """Replace the text of a message of this account; returns and raises as `send_text`."""
        return await self._edit(self.message(message), content.text_content(text))

    async def edit_event(self, message: str | ChatMessage, event_json: Mapping[str, Any]) -> str:
        """Replace an appointment of this account, or call it off.

        Args:
            message: the appointment.
            event_json: the library's `EventMessage` as protojson.

        Returns and raises as `send_text`, and:

        Raises:
            InvalidContentError: it is no appointment.
        """
        new = content.from_json({"eventMessage": event_json})
        return await self._edit(self.message(message), new)

    async def _edit(self, target: ChatMessage, new: Message) -> str:
        written = content.Target(message_id=target.message_id, chat=target.chat)
        edit = content.edit_content(new, written)
        if sealing.has_secret(target):
            edit = sealing.sealed_edit(edit, target, sender=self.jid)
        return await self._writer.send(target.chat, edit)

    async def revoke(self, message: str | ChatMessage) -> str:
        """Delete a message for everyone; returns and raises as `send_text`.

        It is one of this account, or in a group, where admins can do so, one of somebody else.
        """
        target = self.message(message)
        written = content.Target(message_id=target.message_id, chat=target.chat)
        if target.chat.is_shared:
            written = target.as_target()
        return await self._writer.send(target.chat, content.revoke_content(written))

    async def send_raw(self, to: str | Jid, data: bytes) -> str:
        """Send any bytes as a message's content; returns and raises as `send_text`.

        They are not among `own_messages`, for this phone might not be able to read them.

        Args:
            to: the recipient.
            data: what is encrypted: a serialized message, or something that is none.
        """
        return await self._writer.send_raw(to, data)

    def find(self, address: str | Jid) -> Account:
        """Return who has a number or an address.

        Raises:
            UnknownRecipientError: nobody is.
        """
        return self._addresses.find(address)

    def chat(self, address: str | Jid) -> Jid:
        """Return the chat at an address: the LID of an account, a group, or status.

        Raises:
            UnknownRecipientError: there is none.
        """
        return self._addresses.recipient(address).chat

    async def submit(self, stanza: Node) -> Node | None:
        """Send any stanza as this phone; returns the service's ack, if the kind has one."""
        return await self._service.relay.submit(self.jid, stanza)

    async def read(self, *messages: str | ChatMessage) -> None:
        """Send read receipts; messages of one chat share a stanza.

        The companions of this account are told as well, as of something read elsewhere.

        Raises:
            UnknownMessageError: this phone knows no such message.
        """
        await self._writer.confirm(messages, ReceiptKind.READ)

    async def play(self, *messages: str | ChatMessage) -> None:
        """Send played receipts, as for voice messages; raises as `read`."""
        await self._writer.confirm(messages, ReceiptKind.PLAYED)

    # --- channels

    def open_channel(
        self, followers: Iterable[str | Jid] = (), *, name: str = "", description: str = ""
    ) -> Jid:
        """Open a channel of this account.

        Args:
            followers: who gets what is posted there.
            name: as shown.
            description: likewise.

        Raises:
            UnknownRecipientError: nobody has one of these addresses.
        """
        lids = [self.find(follower).lid for follower in followers]
        return self._service.channels.create(
            self._account.lid, followers=lids, name=name, description=description
        ).jid

    async def post(self, channel: str | Jid, text: str) -> str:
        """Post a text in a channel of this account.

        Returns:
            The id of the post, once the service has acked.

        Raises:
            NotDeliveredError: there is no such channel, or it is not of this account.
        """
        return await self._posts.post(address_of(channel), text)

    async def edit_post(self, channel: str | Jid, post_id: str, text: str) -> str:
        """Replace the text of a post; returns and raises as `post`."""
        return await self._posts.edit(address_of(channel), post_id, text)

    async def delete_post(self, channel: str | Jid, post_id: str) -> str:
        """Delete a post; returns and raises as `post`."""
        return await self._posts.delete(address_of(channel), post_id)

    # --- files

    async def media(self, message: str | ChatMessage) -> Attachment:
        """Return what is known of a message's file, once this phone has downloaded and checked it.

        Whether that went well is said by the result.

        Raises:
            UnknownMessageError: this phone knows no such message.
            NoMediaError: it has no file.
        """
        attachment = self.message(message).media
        if attachment is None:
            raise NoMediaError("the message has no file")
        await self._downloads.settle(attachment)
        return attachment

    async def media_bytes(self, message: str | ChatMessage) -> bytes:
        """Return a message's file, decrypted and checked.

        Raises as `media`, and:

        Raises:
            MediaUnavailableError: it cannot be had.
            MediaDamagedError: it is not what the message announces.
        """
        return await self._downloads.data(await self.media(message))

    # --- calls

    def call(self, to: str | Jid, *, video: bool = False, group: str | Jid | None = None) -> Call:
        """Call somebody: the companions of that account hear of it; see `Calls.ring`.

        Raises:
            UnknownRecipientError: nobody has this address.
        """
        place = Jid.parse(group) if isinstance(group, str) else group
        return self._service.calls.ring(self._account, self.find(to), video=video, group=place)

    def placed_call(self, call_id: str) -> Call:
        """Return a call of this phone. Raises `UnknownCallError`."""
        return self._service.calls.placed_by(self._account, call_id)

    def hang_up(self, call_id: str, *, reason: str = "") -> None:
        """End a call of this phone; see `Calls.end`."""
        self._service.calls.end(self._account, call_id, reason=reason)

    # --- contacts

    def show_status_to(self, contacts: Iterable[str | Jid] | None) -> None:
        """Choose who sees what this account writes to `status@broadcast`, here and on companions.

        Args:
            contacts: who alone does; None is everybody that it exchanged messages with.

        Raises:
            UnknownRecipientError: nobody has one of these addresses.
        """
        chosen = None if contacts is None else tuple(self.find(one).lid for one in contacts)
        self._account.status_audience = chosen

    def trust(self, contact: str | Jid) -> None:
        """Give a contact a privacy token, with which it may begin a chat even when time-locked.

        Raises:
            UnknownRecipientError: nobody has this address.
        """
        give_token(self._account, self.find(contact))

    def block(self, contact: str | Jid) -> None:
        """Let nothing from a contact through any more.

        Raises:
            UnknownRecipientError: nobody has this address.
        """
        self._account.blocked.add(self.find(contact).lid)

    def unblock(self, contact: str | Jid) -> None:
        """Undo `block`; raises as it does."""
        self._account.blocked.discard(self.find(contact).lid)

    # --- itself

    @property
    def profile(self) -> Profile:
        """What the account shows of itself; all but the picture is changed there."""
        return self._account.profile

    def set_picture(self, picture: bytes | None) -> str:
        """Change the account's picture (a JPEG), or take it away; returns the new one's id."""
        return set_picture(self._service.accounts, self._account, picture)

    def change_identity(self) -> None:
        """Let those who talk with the account hear that its keys have changed."""
        change_identity(self._service.accounts, self._account)

    async def share_keys(self) -> None:
        """Give the companions the key of what the account's devices share, as after linking.

        Before that they cannot change the account's name.
        """
        await self.send_content(self.jid, key_share())

    async def send_history(self, part: HistoryPart) -> int:
        """Send the companions what was written before, or a part of it; returns its bytes.

        Raises:
            InvalidContentError: a message in it is no content.
            MediaUnavailableError: a rule refuses the upload.
        """
        device = self._account.devices[self.jid.device]
        # In a thread: a large one takes seconds, in which the phones go on.
        data = await asyncio.to_thread(packed, part, own=str(self._account.number))
        await self.send_content(
            self.jid, await notification(part, data, media=self._service.media, device=device)
        )
        return len(data)

    async def show_presence(self, *, available: bool) -> None:
        """Tell those who want to know that the phone is in use, or no longer."""
        kind = "available" if available else "unavailable"
        await self.submit(Node("presence", {"type": kind}))

    async def show_typing(self, to: str | Jid, state: str = "composing") -> None:
        """Show somebody who is online that the phone writes, records, or has stopped.

        Args:
            to: the other one.
            state: `composing`, `recording` or `paused`.

        Raises:
            UnknownRecipientError: nobody has this address.
        """
        attrs: Attrs = {"media": "audio"} if state == "recording" else {}
        tag = "paused" if state == "paused" else "composing"
        await self.submit(Node("chatstate", {"to": self.chat(to)}, (Node(tag, attrs),)))

    # --- scripts

    def on_message(self, script: Script) -> Callable[[], None]:
        """Run a script for every message from others; the result takes it off again."""
        self.look()
        return self._scripts.add(script)

    def set_scripts(self, scripts: Iterable[Script]) -> None:
        """Replace all scripts, in the order in which they shall run."""
        self.look()
        self._scripts.replace(scripts)

    # --- the device, as the service sees it

    def deliver(self, node: Node) -> None:
        """Take a stanza; see `service.devices.Device`."""
        self._arrivals.put(node)

    def look(self) -> None:
        """See `PhoneRecords.look`."""
        self._arrivals.look()

    @property
    def is_watched(self) -> bool:
        """Whether a script runs, or somebody waits for what comes."""
        return bool(self._scripts) or super().is_watched

    def pair_code_hello(self, hello: PairCodeHello) -> None:
        """See `service.devices.Phone`."""
        self._linker.hello(hello)

    def pair_code_finish(self, finish: PairCodeFinish) -> None:
        """See `service.devices.Phone`."""
        self._linker.finish(finish)

    # --- inside

    def _failed(self, where: str, error: Exception) -> None:
        self.handling_errors.append(HandlingError(where=where, error=error))

    def _received(self, message: ChatMessage) -> None:
        if message.media is not None and not self._lazy:
            self._downloads.begin(message.media)
        if message.from_me:
            self.own_messages.append(message)
            return
        self.inbox.append(message)
        self._scripts.put(message)

    def _refill(self) -> None:
        if self._service.keys.prekey_count(self.jid) < REFILL_BELOW:
            prekeys = self._book.new_one_time_keys(PUBLISHED_KEYS)
            self._service.keys.add_prekeys(self.jid, prekeys)
