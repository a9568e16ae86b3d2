"""The client's methods, one for each operation; `generate` writes this file."""

from __future__ import annotations

from typing import Any, Literal

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.abilities.typing_state import TypingState
from gateway_worker.sandbox.control.caller import Caller
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

    async def inbox(self, number: str, poll: models.Poll | None = None) -> models.MessagePage:
        """Return messages from others, from a position on."""
        return await self._call("GET", f"/phones/{number}/inbox", models.MessagePage, query=poll)

    async def own_messages(
        self, number: str, poll: models.Poll | None = None
    ) -> models.MessagePage:
        """Return messages of the account itself, from a position on."""
        return await self._call(
            "GET", f"/phones/{number}/own-messages", models.MessagePage, query=poll
        )

    async def receipts(self, number: str, poll: models.Poll | None = None) -> models.ReceiptPage:
        """Return receipts for messages of the account, from a position on."""
        return await self._call("GET", f"/phones/{number}/receipts", models.ReceiptPage, query=poll)

    async def handling_errors(
        self, number: str, poll: models.Poll | None = None
    ) -> models.HandlingErrorPage:
        """Return what the phone could not handle, from a position on."""
        return await self._call(
            "GET", f"/phones/{number}/handling-errors", models.HandlingErrorPage, query=poll
        )

    async def rules(self) -> tuple[models.RuleView, ...]:
        """List the fault rules and how often each has applied."""
        return (await self._call("GET", "/faults", models.RuleList)).rules

    async def add_rule(self, rule: Rule) -> models.RuleView:
        """Put a fault rule in force; it takes the place of one with the same id."""
        return await self._call("POST", "/faults", models.RuleView, body=rule)

    async def remove_rule(self, rule_id: str) -> None:
        """End a fault rule."""
        await self._call("DELETE", f"/faults/{rule_id}", None)

    async def set_faults(
        self, number: str, faults: models.FaultsBody, *, device: int | None = None
    ) -> None:
        """Replace the faults of a phone's companions, or of one."""
        query = models.DeviceQuery(device=device)
        await self._call("PUT", f"/phones/{number}/faults", None, body=faults, query=query)

    async def clear_faults(self, number: str, *, device: int | None = None) -> None:
        """End the faults of a phone's companions, or of one."""
        query = models.DeviceQuery(device=device)
        await self._call("DELETE", f"/phones/{number}/faults", None, query=query)

    async def faults(self, number: str, device: int) -> models.FaultsBody:
        """Show what is left of the faults set for a companion, or else for its account."""
        return await self._call(
            "GET", f"/phones/{number}/companions/{device}/faults", models.FaultsBody
        )

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
        body = models.NewMessage(to=to, text=text, reply_to=reply_to, mentions=mentions)
        return (
            await self._call("POST", f"/phones/{number}/messages", models.Sent, body=body)
        ).message_id

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
        body = models.NewContent(to=to, content=content, reply_to=reply_to, mentions=mentions)
        return (
            await self._call("POST", f"/phones/{number}/content", models.Sent, body=body)
        ).message_id

    async def content(self, number: str, message_id: str) -> models.ContentView:
        """Show what is in a message that the phone wrote or got, whatever its kind."""
        return await self._call("GET", f"/phones/{number}/content/{message_id}", models.ContentView)

    async def react(self, number: str, message_id: str, emoji: str) -> str:
        """React to a message; an empty emoji takes it back. Returns the id of the reaction."""
        body = models.Emoji(emoji=emoji)
        return (
            await self._call(
                "POST", f"/phones/{number}/messages/{message_id}/reactions", models.Sent, body=body
            )
        ).message_id

    async def edit(self, number: str, message_id: str, text: str) -> str:
        """Replace the text of a message of this account; returns the id of the change."""
        body = models.NewText(text=text)
        return (
            await self._call(
                "PUT", f"/phones/{number}/messages/{message_id}", models.Sent, body=body
            )
        ).message_id

    async def revoke(self, number: str, message_id: str) -> str:
        """Delete a message of this account for everyone; returns the id of the change."""
        return (
            await self._call("DELETE", f"/phones/{number}/messages/{message_id}", models.Sent)
        ).message_id

    async def phones(self) -> tuple[models.PhoneView, ...]:
        """List the phones, in the order in which they were added."""
        return (await self._call("GET", "/phones", models.PhoneList)).phones

    async def add_phone(
        self, number: str | None = None, *, push_name: str = "", lid: str | None = None
    ) -> models.PhoneView:
        """Register an account and switch its phone on; without a number a free one is chosen."""
        body = models.NewPhone(number=number, push_name=push_name, lid=lid)
        return await self._call("POST", "/phones", models.PhoneView, body=body)

    async def phone(self, number: str) -> models.PhoneView:
        """Show a phone and its companions."""
        return await self._call("GET", f"/phones/{number}", models.PhoneView)

    async def rename(self, number: str, push_name: str) -> models.PhoneView:
        """Rename an account."""
        body = models.PhoneChange(push_name=push_name)
        return await self._call("PATCH", f"/phones/{number}", models.PhoneView, body=body)

    async def scan(self, number: str, qr: str) -> models.Linked:
        """Link the companion that shows a QR."""
        body = models.Scan(qr=qr)
        return await self._call("POST", f"/phones/{number}/scan", models.Linked, body=body)

    async def enter_code(
        self, number: str, code: str, *, timeout_seconds: float = 10.0
    ) -> models.Linked:
        """Link the companion that shows a code."""
        body = models.EnterCode(code=code, timeout_seconds=timeout_seconds)
        return await self._call("POST", f"/phones/{number}/code", models.Linked, body=body)

    async def unlink(self, number: str, device: int) -> None:
        """Remove a companion."""
        await self._call("DELETE", f"/phones/{number}/companions/{device}", None)

    async def read(self, number: str, *message_ids: str) -> None:
        """Send read receipts."""
        body = models.MessageIds(message_ids=message_ids)
        await self._call("POST", f"/phones/{number}/read", None, body=body)

    async def play(self, number: str, *message_ids: str) -> None:
        """Send played receipts."""
        body = models.MessageIds(message_ids=message_ids)
        await self._call("POST", f"/phones/{number}/played", None, body=body)

    async def set_script(self, number: str, script: models.ScriptBody) -> None:
        """Replace what a phone does by itself."""
        await self._call("PUT", f"/phones/{number}/script", None, body=script)

    async def health(self) -> models.Health:
        """Ask whether it is up."""
        return await self._call("GET", "/health", models.Health)

    async def worker_settings(self) -> models.WorkerEnv:
        """Return the three settings that point a worker at it."""
        return await self._call("GET", "/worker-env", models.WorkerEnv)

    async def egress_attempts(self) -> tuple[models.EgressView, ...]:
        """Return the requests for other hosts, all of them refused."""
        return (await self._call("GET", "/egress-attempts", models.EgressList)).attempts

    async def set_reachable(self, *, reachable: bool) -> None:
        """Make the whole service vanish or come back."""
        body = models.ServiceState(reachable=reachable)
        await self._call("PUT", "/service", None, body=body)

    async def disconnect(
        self, number: str, stream: StreamEnd | None = None, *, device: int | None = None
    ) -> int:
        """Cut companions' connections, or end them with a stream error; returns how many."""
        body = models.EndStream(stream=stream, device=device)
        return (
            await self._call("POST", f"/phones/{number}/disconnect", models.Ended, body=body)
        ).connections

    async def inject(self, number: str, stanza: models.Injection) -> int:
        """Send companions that are connected any stanza, as it stands; returns to how many."""
        return (
            await self._call("POST", f"/phones/{number}/stanza", models.Ended, body=stanza)
        ).connections

    async def push(self, number: str, stanza: models.Push) -> int:
        """Send companions any stanza as the service does; returns how many get it."""
        return (
            await self._call("POST", f"/phones/{number}/push", models.Pushed, body=stanza)
        ).devices

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
