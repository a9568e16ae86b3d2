"""The client's methods, one for each operation; `generate` writes this file."""

from __future__ import annotations

from typing import Any, Literal

from pydantic.types import AwareDatetime

from gateway_worker.sandbox.control.abilities.channels import NewChannel, Opened
from gateway_worker.sandbox.control.abilities.history import HistoryBody, SentHistory
from gateway_worker.sandbox.control.abilities.profiles import PresenceState, ProfileBody
from gateway_worker.sandbox.control.abilities.reachout import TimelockBody
from gateway_worker.sandbox.control.abilities.typing_state import TypingState
from gateway_worker.sandbox.control.caller import Caller
from gateway_worker.sandbox.control.models.calls import CallView, HangUp, NewCall
from gateway_worker.sandbox.control.models.faults import DeviceQuery, FaultsBody, RuleList, RuleView
from gateway_worker.sandbox.control.models.groups import (
    Addable,
    CommunityView,
    GroupChange,
    GroupList,
    GroupView,
    InviteCode,
    MemberAction,
    MemberResult,
    MemberResults,
    MembersChange,
    NewCommunity,
    NewGroup,
    StatusAudience,
)
from gateway_worker.sandbox.control.models.logs import (
    HandlingErrorPage,
    MessagePage,
    Poll,
    ReceiptPage,
)
from gateway_worker.sandbox.control.models.media import MediaBytes, NewMedia
from gateway_worker.sandbox.control.models.messages import (
    Choice,
    ContentView,
    Emoji,
    EventAnswer,
    MessageIds,
    NewContent,
    NewMessage,
    NewPoll,
    NewText,
    Secrets,
    Sent,
)
from gateway_worker.sandbox.control.models.phones import (
    EnterCode,
    Linked,
    NewPhone,
    PhoneChange,
    PhoneList,
    PhoneView,
    Scan,
    ScriptBody,
)
from gateway_worker.sandbox.control.models.service import (
    EgressList,
    EgressView,
    Health,
    ServiceState,
    WorkerEnv,
)
from gateway_worker.sandbox.control.models.stanzas import Ended, EndStream, Injection, Push, Pushed
from gateway_worker.sandbox.service.calls import CallState
from gateway_worker.sandbox.service.fault_rules import Rule
from gateway_worker.sandbox.service.faults import StreamEnd


class Methods(Caller):
    """One method per operation; each raises `ControlError` when the sandbox refuses."""

    async def block(self, number: str, contact: str) -> None:
        """Block a contact."""
        await self._call("PUT", f"/phones/{number}/blocked/{contact}", None)

    async def unblock(self, number: str, contact: str) -> None:
        """Unblock a contact."""
        await self._call("DELETE", f"/phones/{number}/blocked/{contact}", None)

    async def call(
        self, number: str, to: str, *, video: bool = False, group: str | None = None
    ) -> str:
        """Call somebody: the companions of that account hear of it."""
        body = NewCall(to=to, video=video, group=group)
        return (await self._call("POST", f"/phones/{number}/calls", CallView, body=body)).call_id

    async def call_state(self, number: str, call_id: str) -> CallState:
        """Return where a call stands that the phone has placed."""
        return (await self._call("GET", f"/phones/{number}/calls/{call_id}", CallView)).state

    async def hang_up(self, number: str, call_id: str, *, reason: str = "") -> None:
        """End a call that the phone has placed."""
        query = HangUp(reason=reason)
        await self._call("DELETE", f"/phones/{number}/calls/{call_id}", None, query=query)

    async def open_channel(
        self, number: str, *, followers: tuple[str, ...] = (), name: str = "", description: str = ""
    ) -> str:
        """Open a channel of this account; returns its address."""
        body = NewChannel(followers=followers, name=name, description=description)
        return (await self._call("POST", f"/phones/{number}/channels", Opened, body=body)).channel

    async def post(self, number: str, channel: str, text: str) -> str:
        """Post a text; returns the id of the post."""
        body = NewText(text=text)
        return (
            await self._call("POST", f"/phones/{number}/channels/{channel}/posts", Sent, body=body)
        ).message_id

    async def edit_post(self, number: str, channel: str, message_id: str, text: str) -> str:
        """Replace the text of a post; returns its id."""
        body = NewText(text=text)
        return (
            await self._call(
                "PUT", f"/phones/{number}/channels/{channel}/posts/{message_id}", Sent, body=body
            )
        ).message_id

    async def delete_post(self, number: str, channel: str, message_id: str) -> str:
        """Delete a post; returns its id."""
        return (
            await self._call(
                "DELETE", f"/phones/{number}/channels/{channel}/posts/{message_id}", Sent
            )
        ).message_id

    async def inbox(self, number: str, poll: Poll | None = None) -> MessagePage:
        """Return messages from others, from a position on; their files have been downloaded."""
        return await self._call("GET", f"/phones/{number}/inbox", MessagePage, query=poll)

    async def own_messages(self, number: str, poll: Poll | None = None) -> MessagePage:
        """Return messages of the account itself, from a position on."""
        return await self._call("GET", f"/phones/{number}/own-messages", MessagePage, query=poll)

    async def receipts(self, number: str, poll: Poll | None = None) -> ReceiptPage:
        """Return receipts for messages of the account, from a position on."""
        return await self._call("GET", f"/phones/{number}/receipts", ReceiptPage, query=poll)

    async def handling_errors(self, number: str, poll: Poll | None = None) -> HandlingErrorPage:
        """Return what the phone could not handle, from a position on."""
        return await self._call(
            "GET", f"/phones/{number}/handling-errors", HandlingErrorPage, query=poll
        )

    async def rules(self) -> tuple[RuleView, ...]:
        """List the fault rules and how often each has applied."""
        return (await self._call("GET", "/faults", RuleList)).rules

    async def add_rule(self, rule: Rule) -> RuleView:
        """Put a fault rule in force; it takes the place of one with the same id."""
        return await self._call("POST", "/faults", RuleView, body=rule)

    async def remove_rule(self, rule_id: str) -> None:
        """End a fault rule."""
        await self._call("DELETE", f"/faults/{rule_id}", None)

    async def set_faults(
        self, number: str, faults: FaultsBody, *, device: int | None = None
    ) -> None:
        """Replace the faults of a phone's companions, or of one."""
        query = DeviceQuery(device=device)
        await self._call("PUT", f"/phones/{number}/faults", None, body=faults, query=query)

    async def clear_faults(self, number: str, *, device: int | None = None) -> None:
        """End the faults of a phone's companions, or of one."""
        query = DeviceQuery(device=device)
        await self._call("DELETE", f"/phones/{number}/faults", None, query=query)

    async def faults(self, number: str, device: int) -> FaultsBody:
        """Show what is left of the faults set for a companion, or else for its account."""
        return await self._call("GET", f"/phones/{number}/companions/{device}/faults", FaultsBody)

    async def create_group(
        self,
        number: str,
        subject: str,
        *,
        members: tuple[str, ...] = (),
        ephemeral_seconds: int = 0,
    ) -> GroupView:
        """Make a group of the phone's account and others."""
        body = NewGroup(subject=subject, members=members, ephemeral_seconds=ephemeral_seconds)
        return await self._call("POST", f"/phones/{number}/groups", GroupView, body=body)

    async def create_community(
        self, number: str, subject: str, *, members: tuple[str, ...] = ()
    ) -> CommunityView:
        """Make a community of the phone's account and others, with its group for announcements."""
        body = NewCommunity(subject=subject, members=members)
        return await self._call("POST", f"/phones/{number}/communities", CommunityView, body=body)

    async def groups(self, number: str) -> tuple[GroupView, ...]:
        """List the groups that the phone's account is in."""
        return (await self._call("GET", f"/phones/{number}/groups", GroupList)).groups

    async def group(self, number: str, group: str) -> GroupView:
        """Show a group that the phone's account is in."""
        return await self._call("GET", f"/phones/{number}/groups/{group}", GroupView)

    async def change_group(
        self,
        number: str,
        group: str,
        *,
        subject: str | None = None,
        description: str | None = None,
        ephemeral_seconds: int | None = None,
        admins_write: bool | None = None,
        admins_edit: bool | None = None,
        admins_approve: bool | None = None,
    ) -> GroupView:
        """Change what a group is; what is not given stays."""
        body = GroupChange(
            subject=subject,
            description=description,
            ephemeral_seconds=ephemeral_seconds,
            admins_write=admins_write,
            admins_edit=admins_edit,
            admins_approve=admins_approve,
        )
        return await self._call("PATCH", f"/phones/{number}/groups/{group}", GroupView, body=body)

    async def change_members(
        self, number: str, group: str, action: MemberAction, members: tuple[str, ...]
    ) -> tuple[MemberResult, ...]:
        """Add members, let them in who ask for it, remove them, or change who is an admin.

        Returns what became of each.
        """
        body = MembersChange(action=action, members=members)
        return (
            await self._call(
                "POST", f"/phones/{number}/groups/{group}/members", MemberResults, body=body
            )
        ).results

    async def group_link(self, number: str, group: str) -> str:
        """Show the code of a group's link, as its admins can."""
        return (await self._call("GET", f"/phones/{number}/groups/{group}/link", InviteCode)).code

    async def renew_group_link(self, number: str, group: str) -> str:
        """Revoke a group's link; returns the code of the new one."""
        return (await self._call("POST", f"/phones/{number}/groups/{group}/link", InviteCode)).code

    async def join_group(self, number: str, code: str) -> GroupView:
        """Enter the group that a link leads to, or ask its admins."""
        body = InviteCode(code=code)
        return await self._call("POST", f"/phones/{number}/joined-groups", GroupView, body=body)

    async def accept_invitation(self, number: str, group: str, code: str) -> None:
        """Enter a group by an invitation that was sent to this account."""
        body = InviteCode(code=code)
        await self._call("POST", f"/phones/{number}/groups/{group}/accepted", None, body=body)

    async def let_contacts_add(self, number: str, *, contacts_only: bool) -> None:
        """Let only contacts add the account to groups, or everybody."""
        body = Addable(contacts_only=contacts_only)
        await self._call("PUT", f"/phones/{number}/addable", None, body=body)

    async def leave_group(self, number: str, group: str) -> None:
        """Leave a group."""
        await self._call("DELETE", f"/phones/{number}/groups/{group}", None)

    async def show_status_to(self, number: str, contacts: tuple[str, ...] | None = None) -> None:
        """Choose who sees what the phone writes to `status@broadcast`."""
        body = StatusAudience(contacts=contacts)
        await self._call("PUT", f"/phones/{number}/status-audience", None, body=body)

    async def send_history(self, number: str, history: HistoryBody) -> int:
        """Send the companions a part of what was written before; returns its bytes, compressed."""
        return (
            await self._call("POST", f"/phones/{number}/history", SentHistory, body=history)
        ).size

    async def send_media(self, number: str, media: NewMedia) -> str:
        """Encrypt a file, upload it and write about it; returns the message id."""
        return (await self._call("POST", f"/phones/{number}/media", Sent, body=media)).message_id

    async def media_bytes(self, number: str, message_id: str) -> bytes:
        """Return the decrypted and checked file of a message that the phone wrote or got."""
        return (await self._call("GET", f"/phones/{number}/media/{message_id}", MediaBytes)).data

    async def send_text(
        self,
        number: str,
        to: str,
        text: str,
        *,
        reply_to: str | None = None,
        mentions: tuple[str, ...] = (),
    ) -> str:
        """Write a text; returns the message id."""
        body = NewMessage(to=to, text=text, reply_to=reply_to, mentions=mentions)
        return (await self._call("POST", f"/phones/{number}/messages", Sent, body=body)).message_id

    async def send_content(
        self,
        number: str,
        to: str,
        content: dict[str, Any],
        *,
        reply_to: str | None = None,
        mentions: tuple[str, ...] = (),
    ) -> str:
        """Write content of any kind, given as protojson; returns the message id."""
        body = NewContent(to=to, content=content, reply_to=reply_to, mentions=mentions)
        return (await self._call("POST", f"/phones/{number}/content", Sent, body=body)).message_id

    async def content(self, number: str, message_id: str) -> ContentView:
        """Show what is in a message that the phone wrote or got, whatever its kind."""
        return await self._call("GET", f"/phones/{number}/content/{message_id}", ContentView)

    async def react(self, number: str, message_id: str, emoji: str) -> str:
        """React to a message; an empty emoji takes it back. Returns the id of the reaction."""
        body = Emoji(emoji=emoji)
        return (
            await self._call(
                "POST", f"/phones/{number}/messages/{message_id}/reactions", Sent, body=body
            )
        ).message_id

    async def send_poll(
        self,
        number: str,
        to: str,
        question: str,
        options: tuple[str, ...],
        *,
        selectable_count: int = 1,
    ) -> str:
        """Ask a question with answers to choose from; returns the message id."""
        body = NewPoll(to=to, question=question, options=options, selectable_count=selectable_count)
        return (await self._call("POST", f"/phones/{number}/polls", Sent, body=body)).message_id

    async def vote(self, number: str, message_id: str, options: tuple[str, ...]) -> str:
        """Vote in a poll; no options take the vote back. Returns the id of the vote."""
        body = Choice(options=options)
        return (
            await self._call(
                "POST", f"/phones/{number}/messages/{message_id}/votes", Sent, body=body
            )
        ).message_id

    async def choice(self, number: str, message_id: str) -> Choice:
        """Show what somebody has chosen in a poll that the phone knows, by the id of the vote."""
        return await self._call("GET", f"/phones/{number}/messages/{message_id}/choice", Choice)

    async def comment(self, number: str, message_id: str, text: str) -> str:
        """Comment on what a community announces; returns the id of the comment."""
        body = NewText(text=text)
        return (
            await self._call(
                "POST", f"/phones/{number}/messages/{message_id}/comments", Sent, body=body
            )
        ).message_id

    async def answer_event(
        self, number: str, message_id: str, response: str, *, extra_guests: int = 0
    ) -> str:
        """Say whether the account comes to an appointment; returns the id of the answer."""
        body = EventAnswer(response=response, extra_guests=extra_guests)
        return (
            await self._call(
                "POST", f"/phones/{number}/messages/{message_id}/answers", Sent, body=body
            )
        ).message_id

    async def give_secrets(self, number: str, *, given: bool) -> None:
        """Give each message a secret from now on, with which its edits are encrypted, or none."""
        body = Secrets(given=given)
        await self._call("PUT", f"/phones/{number}/secrets", None, body=body)

    async def edit(self, number: str, message_id: str, text: str) -> str:
        """Replace the text of a message of this account; returns the id of the change."""
        body = NewText(text=text)
        return (
            await self._call("PUT", f"/phones/{number}/messages/{message_id}", Sent, body=body)
        ).message_id

    async def revoke(self, number: str, message_id: str) -> str:
        """Delete a message of this account for everyone; returns the id of the change."""
        return (
            await self._call("DELETE", f"/phones/{number}/messages/{message_id}", Sent)
        ).message_id

    async def phones(self) -> tuple[PhoneView, ...]:
        """List the phones, in the order in which they were added."""
        return (await self._call("GET", "/phones", PhoneList)).phones

    async def add_phone(
        self,
        number: str | None = None,
        *,
        push_name: str = "",
        lid: str | None = None,
        hides_number: bool = False,
    ) -> PhoneView:
        """Register an account and switch its phone on; without a number a free one is chosen."""
        body = NewPhone(number=number, push_name=push_name, lid=lid, hides_number=hides_number)
        return await self._call("POST", "/phones", PhoneView, body=body)

    async def phone(self, number: str) -> PhoneView:
        """Show a phone and its companions."""
        return await self._call("GET", f"/phones/{number}", PhoneView)

    async def rename(self, number: str, push_name: str) -> PhoneView:
        """Rename an account."""
        body = PhoneChange(push_name=push_name)
        return await self._call("PATCH", f"/phones/{number}", PhoneView, body=body)

    async def scan(self, number: str, qr: str) -> Linked:
        """Link the companion that shows a QR."""
        body = Scan(qr=qr)
        return await self._call("POST", f"/phones/{number}/scan", Linked, body=body)

    async def enter_code(self, number: str, code: str, *, timeout_seconds: float = 10.0) -> Linked:
        """Link the companion that shows a code."""
        body = EnterCode(code=code, timeout_seconds=timeout_seconds)
        return await self._call("POST", f"/phones/{number}/code", Linked, body=body)

    async def unlink(self, number: str, device: int) -> None:
        """Remove a companion."""
        await self._call("DELETE", f"/phones/{number}/companions/{device}", None)

    async def set_profile(self, number: str, profile: ProfileBody) -> None:
        """Change what an account shows of itself; others are told of another picture."""
        await self._call("PUT", f"/phones/{number}/profile", None, body=profile)

    async def show_presence(self, number: str, *, available: bool) -> None:
        """Tell those who want to know that the phone is in use, or no longer."""
        body = PresenceState(available=available)
        await self._call("PUT", f"/phones/{number}/presence", None, body=body)

    async def set_timelock(
        self, number: str, until: AwareDatetime, *, kind: str = "WEB_COMPANION_ONLY"
    ) -> None:
        """Let an account begin no chats for a while: its companions are told, and then get 463."""
        body = TimelockBody(until=until, kind=kind)
        await self._call("PUT", f"/phones/{number}/timelock", None, body=body)

    async def lift_timelock(self, number: str) -> None:
        """End the time lock of an account; its companions are told."""
        await self._call("DELETE", f"/phones/{number}/timelock", None)

    async def trust(self, number: str, contact: str) -> None:
        """Give a contact a privacy token, with which it may begin a chat even when time-locked."""
        await self._call("PUT", f"/phones/{number}/trusted/{contact}", None)

    async def read(self, number: str, *message_ids: str) -> None:
        """Send read receipts."""
        body = MessageIds(message_ids=message_ids)
        await self._call("POST", f"/phones/{number}/read", None, body=body)

    async def play(self, number: str, *message_ids: str) -> None:
        """Send played receipts."""
        body = MessageIds(message_ids=message_ids)
        await self._call("POST", f"/phones/{number}/played", None, body=body)

    async def set_script(self, number: str, script: ScriptBody) -> None:
        """Replace what a phone does by itself."""
        await self._call("PUT", f"/phones/{number}/script", None, body=script)

    async def health(self) -> Health:
        """Ask whether it is up."""
        return await self._call("GET", "/health", Health)

    async def worker_settings(self) -> WorkerEnv:
        """Return the three settings that point a worker at it."""
        return await self._call("GET", "/worker-env", WorkerEnv)

    async def egress_attempts(self) -> tuple[EgressView, ...]:
        """Return the requests for other hosts, all of them refused."""
        return (await self._call("GET", "/egress-attempts", EgressList)).attempts

    async def set_reachable(self, *, reachable: bool) -> None:
        """Make the whole service vanish or come back."""
        body = ServiceState(reachable=reachable)
        await self._call("PUT", "/service", None, body=body)

    async def disconnect(
        self, number: str, stream: StreamEnd | None = None, *, device: int | None = None
    ) -> int:
        """Cut companions' connections, or end them with a stream error; returns how many."""
        body = EndStream(stream=stream, device=device)
        return (
            await self._call("POST", f"/phones/{number}/disconnect", Ended, body=body)
        ).connections

    async def inject(self, number: str, stanza: Injection) -> int:
        """Send companions that are connected any stanza, as it stands; returns to how many."""
        return (
            await self._call("POST", f"/phones/{number}/stanza", Ended, body=stanza)
        ).connections

    async def push(self, number: str, stanza: Push) -> int:
        """Send companions any stanza as the service does; returns how many get it."""
        return (await self._call("POST", f"/phones/{number}/push", Pushed, body=stanza)).devices

    async def show_typing(
        self,
        number: str,
        to: str,
        *,
        state: Literal["composing", "recording", "paused"] = "composing",
    ) -> None:
        """Show somebody who is online that the phone writes, records, or has stopped."""
        body = TypingState(to=to, state=state)
        await self._call("POST", f"/phones/{number}/typing", None, body=body)
