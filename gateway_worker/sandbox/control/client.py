"""The typed client of the control API, for when the sandbox runs as another process.

async with SandboxClient.connect(url=url, token=token) as sandbox:
phone = await sandbox.add_phone(push_name="Anna")
await sandbox.scan(phone.number, qr_text)
message = await sandbox.next_message(phone.number)
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import aiohttp
from pydantic import BaseModel

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.phones.values import ReceiptKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from gateway_worker.sandbox.hub.faults import StreamEnd
    from gateway_worker.sandbox.hub.rules import Rule

BodyT = TypeVar("BodyT", bound=BaseModel)
POLL_SECONDS: Final = 20.0
PATIENCE_SECONDS: Final = 10.0


class ControlError(Exception):
    """The sandbox refused a request.

    Attributes:
        problem: what it answered; `problem.code` is for programs.
    """

    def __init__(self, problem: models.Problem) -> None:
        super().__init__(f"{problem.code}: {problem.title} {problem.detail}".rstrip())
        self.problem = problem


class SandboxClient:
    """One method per route. Every method raises `ControlError` when the sandbox refuses.

    Phones are named by the digits of their number; recipients also by address.
    """

    def __init__(self, *, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._cursors: dict[str, int] = {}

    @classmethod
    @asynccontextmanager
    async def connect(cls, *, url: str, token: str | None = None) -> AsyncIterator[SandboxClient]:
        """Talk to a sandbox while the block runs.

        Args:
            url: its control URL.
            token: its bearer token, if it demands one.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            yield cls(session=session, url=url)

    # --- the service

    async def health(self) -> models.Health:
        """Ask whether it is up."""
        return await self._get("/health", models.Health)

    async def worker_env(self) -> dict[str, str]:
        """Return the three environment variables that point a worker at it."""
        return (await self._get("/worker-env", models.WorkerEnv)).env()

    async def egress_attempts(self) -> tuple[models.EgressView, ...]:
        """Return the refused requests for other hosts."""
        return (await self._get("/egress-attempts", models.EgressList)).attempts

    async def set_reachable(self, *, reachable: bool) -> None:
        """Make the whole service vanish or come back."""
        await self._ask("PUT", "/service", models.ServiceState(reachable=reachable))

    # --- phones and companions

    async def add_phone(
        self, number: str | None = None, *, push_name: str = "", lid: str | None = None
    ) -> models.PhoneView:
        """Register an account; without a number a free one is chosen."""
        body = models.NewPhone(number=number, push_name=push_name, lid=lid)
        return await self._post("/phones", body, models.PhoneView)

    async def phones(self) -> tuple[models.PhoneView, ...]:
        """List the phones."""
        return (await self._get("/phones", models.PhoneList)).phones

    async def phone(self, number: str) -> models.PhoneView:
        """Show a phone and its companions."""
        return await self._get(f"/phones/{number}", models.PhoneView)

    async def rename(self, number: str, push_name: str) -> None:
        """Rename an account."""
        await self._ask("PATCH", f"/phones/{number}", models.PhoneChange(push_name=push_name))

    async def scan(self, number: str, qr: str) -> models.Linked:
        """Link the companion that shows a QR."""
        return await self._post(f"/phones/{number}/scan", models.Scan(qr=qr), models.Linked)

    async def enter_code(
        self,
        number: str,
        code: str,
        *,
        timeout: float = PATIENCE_SECONDS,  # noqa: ASYNC109 - it is the server that waits
    ) -> models.Linked:
        """Link the companion that shows a code."""
        body = models.EnterCode(code=code, timeout_seconds=timeout)
        return await self._post(f"/phones/{number}/code", body, models.Linked)

    async def unlink(self, number: str, device: int) -> None:
        """Remove a companion."""
        await self._ask("DELETE", f"/phones/{number}/companions/{device}")

    # --- messages

    async def send_text(
        self,
        number: str,
        to: str,
        text: str,
        *,
        reply_to: str | None = None,
        mentions: tuple[str, ...] = (),
    ) -> str:
        """Write a text from a phone; returns the message id."""
        body = models.NewMessage(to=to, text=text, reply_to=reply_to, mentions=mentions)
        return (await self._post(f"/phones/{number}/messages", body, models.Sent)).message_id

    async def send_content(
        self,
        number: str,
        to: str,
        content: Mapping[str, Any],
        *,
        reply_to: str | None = None,
        mentions: tuple[str, ...] = (),
    ) -> str:
        """Write content of any kind, given as protojson; returns the message id."""
        body = models.NewContent(to=to, content=dict(content), reply_to=reply_to, mentions=mentions)
        return (await self._post(f"/phones/{number}/content", body, models.Sent)).message_id

    async def content(self, number: str, message_id: str) -> models.ContentView:
        """Show what is in a message that a phone sent or got."""
        return await self._get(f"/phones/{number}/content/{message_id}", models.ContentView)

    async def react(self, number: str, message_id: str, emoji: str) -> str:
        """React to a message; returns the id of the reaction."""
        path = f"/phones/{number}/messages/{message_id}/reactions"
        return (await self._post(path, models.Emoji(emoji=emoji), models.Sent)).message_id

    async def edit(self, number: str, message_id: str, text: str) -> str:
        """Replace a text; returns the id of the change."""
        path = f"/phones/{number}/messages/{message_id}"
        answer = await self._ask("PUT", path, models.NewText(text=text))
        return models.Sent.model_validate_json(answer).message_id

    async def revoke(self, number: str, message_id: str) -> str:
        """Delete a message for everyone; returns the id of the change."""
        answer = await self._ask("DELETE", f"/phones/{number}/messages/{message_id}")
        return models.Sent.model_validate_json(answer).message_id

    async def read(self, number: str, *message_ids: str) -> None:
        """Send read receipts."""
        await self._ask(
            "POST", f"/phones/{number}/read", models.MessageIds(message_ids=message_ids)
        )

    async def play(self, number: str, *message_ids: str) -> None:
        """Send played receipts."""
        body = models.MessageIds(message_ids=message_ids)
        await self._ask("POST", f"/phones/{number}/played", body)

    async def block(self, number: str, contact: str) -> None:
        """Block a contact."""
        await self._ask("PUT", f"/phones/{number}/blocked/{contact}")

    async def unblock(self, number: str, contact: str) -> None:
        """Unblock a contact."""
        await self._ask("DELETE", f"/phones/{number}/blocked/{contact}")

    async def set_script(self, number: str, script: models.ScriptBody) -> None:
        """Replace what a phone does by itself."""
        await self._ask("PUT", f"/phones/{number}/script", script)

    # --- reading and waiting

    async def inbox(self, number: str, poll: models.Poll | None = None) -> models.MessagePage:
        """Return messages from others, from a position on."""
        return await self._page(number, "inbox", poll, models.MessagePage)

    async def own_messages(
        self, number: str, poll: models.Poll | None = None
    ) -> models.MessagePage:
        """Return messages of the account itself, from a position on."""
        return await self._page(number, "own-messages", poll, models.MessagePage)

    async def receipts(self, number: str, poll: models.Poll | None = None) -> models.ReceiptPage:
        """Return receipts, from a position on."""
        return await self._page(number, "receipts", poll, models.ReceiptPage)

    async def problems(self, number: str, poll: models.Poll | None = None) -> models.ProblemPage:
        """Return what the phone could not handle, from a position on."""
        return await self._page(number, "problems", poll, models.ProblemPage)

    async def next_message(
        self,
        number: str,
        *,
        timeout: float = PATIENCE_SECONDS,  # noqa: ASYNC109 - part of the error's text
    ) -> models.MessageView:
        """Return the next message of a phone that this client has not returned yet.

        Raises:
            TimeoutError: none came in time.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            position = self._cursors.get(number, 0)
            left = max(deadline - asyncio.get_running_loop().time(), 0.0)
            poll = models.Poll(since=position, timeout_seconds=min(left, POLL_SECONDS))
            page = await self.inbox(number, poll)
            if page.items:
                self._cursors[number] = page.next - len(page.items) + 1
                return page.items[0]
            if not left:
                raise TimeoutError(f"no message within {timeout:g} s")

    async def wait_for_receipt(
        self,
        number: str,
        message_id: str,
        kind: ReceiptKind = ReceiptKind.DELIVERED,
        *,
        timeout: float = PATIENCE_SECONDS,  # noqa: ASYNC109 - part of the error's text
    ) -> models.ReceiptView:
        """Return the first receipt of this kind for a message, past or to come.

        Raises:
            TimeoutError: none came in time.
        """

        def fits(receipt: models.ReceiptView) -> bool:
            return receipt.kind is kind and message_id in receipt.message_ids

        return await self._first_receipt(number, fits, timeout)

    # --- faults

    async def set_faults(
        self, number: str, faults: models.FaultsBody, *, device: int | None = None
    ) -> None:
        """Replace the faults of a phone's companions, or of one."""
        await self._ask("PUT", f"/phones/{number}/faults", faults, _device(device))

    async def clear_faults(self, number: str, *, device: int | None = None) -> None:
        """End the faults of a phone's companions, or of one."""
        await self._ask("DELETE", f"/phones/{number}/faults", query=_device(device))

    async def faults(self, number: str, device: int) -> models.FaultsBody:
        """Show the faults in force for a companion."""
        return await self._get(f"/phones/{number}/companions/{device}/faults", models.FaultsBody)

    async def rules(self) -> tuple[models.RuleView, ...]:
        """List the fault rules and how often each has struck."""
        return (await self._get("/faults", models.RuleList)).rules

    async def add_rule(self, rule: Rule) -> None:
        """Put a fault rule in force; it takes the place of one with the same id."""
        await self._ask("POST", "/faults", rule)

    async def remove_rule(self, rule_id: str) -> None:
        """End a fault rule."""
        await self._ask("DELETE", f"/faults/{rule_id}")

    async def disconnect(
        self, number: str, stream: StreamEnd | None = None, *, device: int | None = None
    ) -> int:
        """Cut the connections of a phone's companions; returns how many there were.

        Args:
            number: the phone.
            stream: end them with this stream error; None cuts without a word.
            device: only this companion.
        """
        body = models.EndStream(stream=stream, device=device)
        return (await self._post(f"/phones/{number}/disconnect", body, models.Ended)).connections

    async def inject(self, number: str, stanza: models.Injection) -> int:
        """Send any stanza to a phone's companions that are connected; returns to how many."""
        return (await self._post(f"/phones/{number}/stanza", stanza, models.Ended)).connections

    async def push(self, number: str, stanza: models.Push) -> int:
        """Send a phone's companions any stanza as the service does; returns how many get it."""
        return (await self._post(f"/phones/{number}/push", stanza, models.Pushed)).devices

    # --- inside

    async def _first_receipt(
        self, number: str, fits: Callable[[models.ReceiptView], bool], patience: float
    ) -> models.ReceiptView:
        deadline = asyncio.get_running_loop().time() + patience
        position = 0
        while True:
            left = max(deadline - asyncio.get_running_loop().time(), 0.0)
            poll = models.Poll(since=position, timeout_seconds=min(left, POLL_SECONDS))
            page = await self.receipts(number, poll)
            found = next(filter(fits, page.items), None)
            if found is not None:
                return found
            if not page.items and not left:
                raise TimeoutError(f"no such receipt within {patience:g} s")
            position = page.next

    async def _page(
        self, number: str, what: str, poll: models.Poll | None, page: type[BodyT]
    ) -> BodyT:
        query = (poll or models.Poll()).model_dump(mode="json")
        return page.model_validate_json(
            await self._ask("GET", f"/phones/{number}/{what}", query=query)
        )

    async def _get(self, path: str, answer: type[BodyT]) -> BodyT:
        return answer.model_validate_json(await self._ask("GET", path))

    async def _post(self, path: str, body: models.Body, answer: type[BodyT]) -> BodyT:
        return answer.model_validate_json(await self._ask("POST", path, body))

    async def _ask(
        self,
        method: str,
        path: str,
        body: BaseModel | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> bytes:
        data = None if body is None else body.model_dump_json().encode()
        headers = None if data is None else {"Content-Type": "application/json"}
        async with self._session.request(
            method, self._url + path, data=data, headers=headers, params=query
        ) as response:
            answer = await response.read()
            if response.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
                raise ControlError(models.Problem.model_validate_json(answer))
            return answer


def _device(device: int | None) -> dict[str, int] | None:
    return None if device is None else {"device": device}
