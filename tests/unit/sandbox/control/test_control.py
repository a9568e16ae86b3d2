"""The control API through its client, over real HTTP, on a real sandbox without companions."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from pydantic import SecretStr

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.client import ControlError, SandboxClient
from gateway_worker.sandbox.control.server import serve
from gateway_worker.sandbox.phones.media.draft import Flaw
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from gateway_worker.sandbox.phones.values import ReceiptKind
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.service.fault_rules import Drop, Match, Point, Rule, Who
from gateway_worker.sandbox.service.faults import Faults, LoginFailure, QueryRefusal
from gateway_worker.sandbox.service.reachout import Timelock
from gateway_worker.sandbox.settings import SandboxRefusedError, SandboxSettings
from tests.support.contents import LOCATION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

ANNA, BEN = "4915550001", "4915550002"
TOKEN = "correct horse"
KEY = "A" * 43 + "="


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """Open a sandbox with two phones."""
    async with Sandbox.open(SandboxSettings()) as sandbox:
        await sandbox.add_phone(ANNA, push_name="Anna")
        await sandbox.add_phone(BEN, push_name="Ben")
        yield sandbox


@pytest.fixture
async def url(sandbox: Sandbox) -> AsyncIterator[str]:
    """Serve its control API."""
    async with serve(sandbox, token=TOKEN) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[SandboxClient]:
    """Connect the typed client."""
    async with SandboxClient.connect(url=url, token=TOKEN) as client:
        yield client


async def test_phones_are_added_listed_and_renamed(client: SandboxClient) -> None:
    """Without a number the sandbox chooses a free one."""
    chosen = await client.add_phone(push_name="Carl")
    await client.rename(chosen.number, "Charles")

    phones = await client.phones()
    assert [phone.number for phone in phones] == [ANNA, BEN, chosen.number]
    assert (await client.phone(chosen.number)).push_name == "Charles"
    assert (await client.health()).phones == 3


async def test_a_conversation_with_all_its_changes(client: SandboxClient) -> None:
    """Everything a phone can do is reachable from another process."""
    message_id = await client.send_text(ANNA, BEN, "who comes?", mentions=(ANNA,))
    message = await client.next_message(BEN)
    assert (message.message_id, message.text) == (message_id, "who comes?")
    assert message.sender_number == ANNA
    await client.wait_for_receipt(ANNA, message_id)
    await client.read(BEN, message_id)
    await client.wait_for_receipt(ANNA, message_id, ReceiptKind.READ)
    await client.play(BEN, message_id)
    await client.wait_for_receipt(ANNA, message_id, ReceiptKind.PLAYED)

    await client.send_text(BEN, message.chat, "I do", reply_to=message_id)
    assert (await client.next_message(ANNA)).quoted_id == message_id
    await client.react(BEN, message_id, "!")
    await client.edit(ANNA, message_id, "who came?")
    await client.revoke(ANNA, message_id)
    assert (await client.next_message(ANNA)).kind == "reaction"
    changes = [(await client.next_message(BEN)).kind for _ in range(2)]
    assert changes == ["edit", "revoke"]
    own = await client.own_messages(ANNA)
    assert [item.kind for item in own.items] == ["text", "edit", "revoke"]
    assert (await client.handling_errors(BEN)).items == ()


async def test_what_apps_encrypt_once_more(client: SandboxClient) -> None:
    """Answers to appointments, comments, and the edits of newer apps."""
    await client.give_secrets(ANNA, given=True)
    event = {"eventMessage": {"name": "Sale", "startTime": "1900000000"}}
    message_id = await client.send_content(ANNA, BEN, event)
    await client.next_message(BEN)

    await client.answer_event(BEN, message_id, "GOING", extra_guests=1)
    await client.comment(BEN, message_id, "Where?")
    await client.edit(ANNA, await client.send_text(ANNA, BEN, "first"), "second")

    answers = [await client.next_message(ANNA) for _ in range(2)]
    assert [answer.kind for answer in answers] == ["event_response", "comment"]
    assert {answer.target_id for answer in answers} == {message_id}
    assert [(await client.next_message(BEN)).kind for _ in range(2)] == ["text", "edit"]


async def test_content_of_any_kind_is_written_and_shown(client: SandboxClient) -> None:
    """As protojson, with the same fields on both sides, and what it answers."""
    question = await client.send_text(BEN, ANNA, "where?")
    await client.next_message(ANNA)

    message_id = await client.send_content(ANNA, BEN, LOCATION, reply_to=question)

    message = await client.next_message(BEN)
    assert (message.kind, message.quoted_id) == ("location", question)
    shown = await client.content(BEN, message_id)
    assert (shown.message_id, shown.kind) == (message_id, "location")
    assert shown == await client.content(ANNA, message_id)
    assert shown.content["locationMessage"].items() >= LOCATION["locationMessage"].items()


async def test_a_long_poll_returns_when_something_comes(client: SandboxClient) -> None:
    """And empty when nothing does."""
    assert (await client.inbox(BEN)).items == ()
    waiting = asyncio.create_task(client.inbox(BEN, models.Poll(timeout_seconds=30)))
    await client.send_text(ANNA, BEN, "hello")

    page = await waiting

    assert [item.text for item in page.items] == ["hello"]
    assert (await client.inbox(BEN, models.Poll(since=page.next))).items == ()
    await client.next_message(BEN)
    with pytest.raises(TimeoutError, match=r"no message within 0\.01 s"):
        await client.next_message(BEN, timeout=0.01)
    with pytest.raises(TimeoutError, match=r"no such receipt within 0\.01 s"):
        await client.wait_for_receipt(ANNA, "unknown", timeout=0.01)


async def test_scripts_and_blocks(client: SandboxClient) -> None:
    """A script answers with what came; a blocked contact gets no answer."""
    script = models.ScriptBody(auto_read=True, auto_reply="{number} said {text}", quote=True)
    await client.set_script(BEN, script)
    message_id = await client.send_text(ANNA, BEN, "hi")
    answer = await client.next_message(ANNA)
    assert (answer.text, answer.quoted_id) == (f"{ANNA} said hi", message_id)
    await client.wait_for_receipt(ANNA, message_id, ReceiptKind.READ)

    await client.set_script(BEN, models.ScriptBody())
    await client.block(BEN, ANNA)
    await client.send_text(ANNA, BEN, "blocked")
    await client.unblock(BEN, ANNA)
    await client.send_text(ANNA, BEN, "unblocked")
    assert [(await client.next_message(BEN)).text for _ in range(2)] == ["hi", "unblocked"]


async def test_a_group_is_made_changed_and_left(client: SandboxClient) -> None:
    """What a phone can do with groups can be done from another process."""
    carl = await client.add_phone(hides_number=True)
    made = await client.create_group(ANNA, "Club", members=(BEN,))
    assert [(one.number, one.role) for one in made.members] == [(ANNA, "superadmin"), (BEN, "")]
    message_id = await client.send_text(ANNA, made.group, "hello all")
    message = await client.next_message(BEN)
    assert (message.message_id, message.chat) == (message_id, made.group)
    await client.show_typing(BEN, made.group)

    (added,) = await client.change_members(
        ANNA, made.group, models.MemberAction.ADD, (f"{carl.lid}@lid",)
    )
    assert (added.lid, added.code) == (carl.lid, 0)
    changed = await client.change_group(
        ANNA,
        made.group,
        subject="Closed",
        description="ours",
        ephemeral_seconds=60,
        admins_write=True,
        admins_edit=True,
    )
    assert changed == await client.group(BEN, made.group)
    assert (changed.subject, changed.description, changed.ephemeral_seconds) == (
        "Closed",
        "ours",
        60,
    )
    assert (changed.admins_write, changed.admins_edit) == (True, True)
    assert [one.number for one in changed.members] == [ANNA, BEN, ""]
    with pytest.raises(ControlError) as refused:
        await client.change_group(BEN, made.group, subject="mine")
    assert refused.value.problem.code == "group_refused"

    await client.leave_group(BEN, made.group)
    assert await client.groups(BEN) == ()
    assert [one.group for one in await client.groups(ANNA)] == [made.group]


async def test_a_community_has_a_group_for_announcements(client: SandboxClient) -> None:
    """Its admins write there, and all its members read; who comes changes the version."""
    made = await client.create_community(ANNA, "Runners", members=(BEN,))
    with pytest.raises(ControlError) as refused:
        await client.send_text(BEN, made.announcements, "may I?")
    assert refused.value.problem.code == "not_delivered"

    sent = await client.send_text(ANNA, made.announcements, "on Sunday")
    message = await client.next_message(BEN)
    assert (message.message_id, message.chat) == (sent, made.announcements)

    carl = await client.add_phone()
    before = await client.group(ANNA, made.announcements)
    action = models.MemberAction.ADD
    await client.change_members(ANNA, made.announcements, action, (carl.number,))
    after = await client.group(ANNA, made.announcements)
    assert after.members_version != before.members_version
    assert made.community in [one.group for one in await client.groups(BEN)]


async def test_ways_into_a_group(client: SandboxClient, sandbox: Sandbox) -> None:
    """By its link while that is good, and by an invitation for who is not added by others."""
    carl = await client.add_phone()
    made = await client.create_group(ANNA, "Club")
    first = await client.group_link(ANNA, made.group)
    second = await client.renew_group_link(ANNA, made.group)
    with pytest.raises(ControlError, match="410"):
        await client.join_group(BEN, first)
    joined = await client.join_group(BEN, second)
    assert [one.number for one in joined.members] == [ANNA, BEN]

    await client.change_group(ANNA, made.group, admins_approve=True)
    dora = await client.add_phone()
    asked = await client.join_group(dora.number, second)
    assert (asked.admins_approve, asked.waiting) == (True, (dora.lid,))
    await client.change_members(ANNA, made.group, models.MemberAction.APPROVE, (dora.number,))
    shown = await client.group(dora.number, made.group)
    assert (shown.waiting, len(shown.members)) == ((), 3)

    await client.let_contacts_add(carl.number, contacts_only=True)
    action = models.MemberAction.ADD
    (result,) = await client.change_members(ANNA, made.group, action, (carl.number,))
    assert result.code == 403
    (invitation,) = sandbox.phone(ANNA).groups.get(made.group).invitations.values()
    await client.accept_invitation(carl.number, made.group, invitation.code)
    assert [one.group for one in await client.groups(carl.number)] == [made.group]


async def test_a_status_is_for_whom_was_chosen(client: SandboxClient) -> None:
    """By the address that it has in the client library."""
    await client.show_status_to(ANNA, (BEN,))
    await client.send_text(ANNA, "status@broadcast", "at sea")

    message = await client.next_message(BEN)
    assert (message.chat, message.sender_number) == ("status@broadcast", ANNA)


async def test_faults_are_set_for_the_hub(client: SandboxClient, sandbox: Sandbox) -> None:
    """What is said over HTTP is what the service follows."""
    refusal = models.QueryRefusalBody(query="encrypt/key", times=2, about=BEN, backoff_seconds=5)
    body = models.FaultsBody(
        login_failure=models.LoginFailureBody(reason=402, times=3),
        missing_acks=2,
        unregistered=True,
        refused_queries=(refusal,),
    )
    await client.set_faults(ANNA, body)

    assert sandbox.faults.get(ANNA) == Faults(
        login_failure=LoginFailure(reason=402, times=3),
        missing_acks=2,
        unregistered=True,
        refused_queries=(QueryRefusal(query="encrypt/key", times=2, about=BEN, backoff_seconds=5),),
    )
    assert models.FaultsBody.of(sandbox.faults.get(ANNA)) == body
    await client.clear_faults(ANNA)
    assert sandbox.faults.get(ANNA) == Faults()
    assert list(sandbox.faults) == []
    assert await client.disconnect(ANNA) == 0


async def test_rules_are_added_listed_and_removed_by_id(client: SandboxClient) -> None:
    """A third message is lost, and the list says how often that has happened."""
    rule = Rule(
        id="third",
        point=Point.MESSAGE,
        who=Who(number=ANNA, device=0),
        match=Match(about=BEN),
        effect=Drop(),
        after=2,
        times=1,
    )
    await client.add_rule(rule)
    for text in ("one", "two", "three", "four"):
        await client.send_text(ANNA, BEN, text)

    texts = [(await client.next_message(BEN)).text for _ in range(3)]
    assert texts == ["one", "two", "four"]
    assert await client.rules() == (models.RuleView(**dict(rule), applied=1),)
    await client.remove_rule("third")
    assert await client.rules() == ()


async def test_a_stanza_of_the_service_is_pushed(client: SandboxClient, sandbox: Sandbox) -> None:
    """To companions, of which there are none here, or to the phone."""
    attrs = {"from": f"{BEN}@s.whatsapp.net", "id": "X"}

    assert await client.push(ANNA, models.Push(tag="receipt", attrs=attrs)) == 0
    assert await client.push(ANNA, models.Push(tag="receipt", attrs=attrs, device=0)) == 1

    seen = await client.wait_for_receipt(ANNA, "X")
    assert seen.sender == f"{BEN}@s.whatsapp.net"


def test_every_fault_of_the_hub_can_be_set_over_http() -> None:
    """A fault added to the service must be added to the API."""
    assert {field.name for field in fields(Faults)} == set(models.FaultsBody.model_fields)
    assert {field.name for field in fields(LoginFailure)} == set(
        models.LoginFailureBody.model_fields
    )
    assert {field.name for field in fields(QueryRefusal)} == set(
        models.QueryRefusalBody.model_fields
    )


async def test_the_service_vanishes_and_comes_back(client: SandboxClient, sandbox: Sandbox) -> None:
    """The proxy's port refuses connections for a while, and is the same afterwards."""
    host, port = sandbox.proxy_url.removeprefix("http://").split(":")
    await client.set_reachable(reachable=False)
    with pytest.raises(ConnectionError):
        await asyncio.open_connection(host, int(port))

    await client.set_reachable(reachable=True)

    _, writer = await asyncio.open_connection(host, int(port))
    writer.close()
    await writer.wait_closed()


async def test_a_request_for_another_host_is_refused_and_listed(
    client: SandboxClient, sandbox: Sandbox
) -> None:
    """The proof of no egress can be read from outside."""
    assert await client.egress_attempts() == ()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.get("https://example.com/", proxy=sandbox.proxy_url)

    attempts = await client.egress_attempts()

    assert [(one.method, one.target.split()[0]) for one in attempts] == [
        ("CONNECT", "example.com:443")
    ]
    assert (await client.health()).egress_attempts == 1


async def test_the_worker_gets_three_settings(client: SandboxClient, sandbox: Sandbox) -> None:
    """Proxy, authority and root: nothing else points a worker at the sandbox."""
    env = await client.worker_env()

    assert env == sandbox.worker_env
    assert sorted(env) == ["SANDBOX_CA_FILE", "SANDBOX_PROXY_URL", "SANDBOX_ROOT_KEY"]
    assert len(bytes.fromhex(env["SANDBOX_ROOT_KEY"])) == 32
    assert "BEGIN CERTIFICATE" in sandbox.ca_file.read_text()


def rule_about(number: str) -> Rule:
    """Return a rule about an account."""
    return Rule(id="x", point=Point.ACK, who=Who(number=number), effect=Drop())


REFUSALS: list[tuple[str, int, Callable[[SandboxClient], Awaitable[Any]]]] = [
    ("phone_unknown", 404, lambda c: c.phone("999")),
    ("phone_unknown", 404, lambda c: c.inbox("999")),
    ("phone_unknown", 404, lambda c: c.rename("999", "x")),
    ("account_exists", 409, lambda c: c.add_phone(ANNA)),
    ("recipient_unknown", 404, lambda c: c.send_text(ANNA, "999", "x")),
    ("recipient_unknown", 404, lambda c: c.block(ANNA, "999")),
    ("message_unknown", 404, lambda c: c.send_text(ANNA, BEN, "x", reply_to="?")),
    ("message_unknown", 404, lambda c: c.content(ANNA, "no-such-id")),
    ("invalid_content", 422, lambda c: c.send_content(ANNA, BEN, {"nothing": 1})),
    ("message_unknown", 404, lambda c: c.read(ANNA, "no-such-id")),
    ("device_unknown", 404, lambda c: c.unlink(ANNA, 7)),
    ("invalid_qr", 422, lambda c: c.scan(ANNA, "hello")),
    ("pairing_refused", 409, lambda c: c.scan(ANNA, f"ref,{KEY},{KEY},{KEY}")),
    ("wrong_code", 422, lambda c: c.enter_code(ANNA, "12")),
    ("nothing_to_enter", 409, lambda c: c.enter_code(ANNA, "ABCDEFGH", timeout_seconds=0.01)),
    ("account_unknown", 404, lambda c: c.faults(ANNA, 7)),
    ("account_unknown", 404, lambda c: c.add_rule(rule_about("999"))),
    ("account_unknown", 404, lambda c: c.push(ANNA, models.Push(tag="call", device=7))),
    ("rule_unknown", 404, lambda c: c.remove_rule("no-such-id")),
    ("invalid_value", 422, lambda c: c.send_text(ANNA, "1:x@lid", "x")),
]


@pytest.mark.parametrize(("code", "status", "call"), REFUSALS)
async def test_every_refusal_has_a_status_and_a_code(
    client: SandboxClient,
    code: str,
    status: int,
    call: Callable[[SandboxClient], Awaitable[Any]],
) -> None:
    """Programs tell mistakes apart by the code, people by the text."""
    with pytest.raises(ControlError) as caught:
        await call(client)

    assert (caught.value.problem.code, caught.value.problem.status) == (code, status)


INVALID = "422 invalid_body"
ONE_LOGIN = b'{"login_failure": {"reason": 1}}'


@pytest.mark.parametrize(
    ("request_line", "body", "answer", "pointers"),
    [
        ("POST /phones", b"{", "400 malformed", ["/"]),
        ("POST /phones", b'{"number": "abc"}', INVALID, ["/number"]),
        ("POST /phones", b'{"nummer": "1"}', INVALID, ["/nummer"]),
        (f"POST /phones/{ANNA}/read", b'{"message_ids": []}', INVALID, ["/message_ids"]),
        (f"GET /phones/{ANNA}/inbox?since=-1", None, INVALID, ["/since"]),
        (f"GET /phones/{ANNA}/inbox?sinse=1", None, INVALID, ["/sinse"]),
        (f"PUT /phones/{ANNA}/faults", ONE_LOGIN, INVALID, ["/login_failure/reason"]),
        ("GET /nowhere", None, "404 not_found", []),
        ("DELETE /phones", None, "405 method_not_allowed", []),
    ],
)
async def test_bad_requests_get_problems(
    url: str, request_line: str, body: bytes | None, answer: str, pointers: list[str]
) -> None:
    """Whatever is wrong, the answer is problem+json and says where."""
    method, path = request_line.split()
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.request(method, url + path, data=body) as response,
    ):
        assert response.content_type == "application/problem+json"
        problem = models.Problem.model_validate_json(await response.read())

    assert answer == f"{response.status} {problem.code}"
    assert problem.status == response.status
    assert [field.pointer for field in problem.errors] == pointers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {TOKEN}", "Host": "example.com:80"}, 421),
        ({"Authorization": f"Bearer {TOKEN}", "Content-Type": "text/plain"}, 415),
    ],
)
async def test_strangers_are_kept_out(url: str, headers: dict[str, str], status: int) -> None:
    """No token, a wrong one, a page in a browser: nothing is done for them."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/phones", data=b"{}", headers=headers) as response,
    ):
        assert response.status == status
        assert response.content_type == "application/problem+json"


async def test_the_sandbox_refuses_to_run_in_production(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Before anything is opened, whoever starts it and however it is spelled."""
    monkeypatch.setenv("ENVIRONMENT", " Production ")

    with pytest.raises(SandboxRefusedError, match="must not run"):
        async with Sandbox.open(SandboxSettings(directory=tmp_path / "new")):
            pass
    assert not (tmp_path / "new").exists()


def test_the_settings_hide_the_token() -> None:
    """A settings value may be logged."""
    assert "secret" not in repr(SandboxSettings(control_token=SecretStr("secret")))


async def test_files_are_sent_and_shown(client: SandboxClient, tmp_path: Path) -> None:
    """By their data or by a path; the bytes and what is known of them come back."""
    data = bytes(range(256))
    message_id = await client.send_media(
        ANNA, models.NewMedia(to=BEN, kind=MediaKind.VOICE, data=data, seconds=3, view_once=True)
    )

    message = await client.next_message(BEN)

    media = message.media
    assert media is not None
    assert (message.message_id, media.kind) == (message_id, MediaKind.VOICE)
    assert (media.size, media.sha256) == (256, hashlib.sha256(data).hexdigest())
    assert (media.seconds, media.view_once, len(media.waveform)) == (3, True, 64)
    assert (media.is_checked, media.error) == (True, "")
    assert await client.media_bytes(BEN, message_id) == data
    assert await client.media_bytes(ANNA, message_id) == data

    path = tmp_path / "file"
    path.write_bytes(data)
    by_path = await client.send_media(
        ANNA, models.NewMedia(to=BEN, kind=MediaKind.DOCUMENT, path=str(path), caption="read")
    )
    assert (await client.next_message(BEN)).text == "read"
    assert await client.media_bytes(BEN, by_path) == data


async def test_mistakes_with_files_are_problems(client: SandboxClient, tmp_path: Path) -> None:
    """No file, a wrong one, one that cannot be had, a message without one."""
    with pytest.raises(ControlError) as caught:
        await client.send_media(
            ANNA, models.NewMedia(to=BEN, kind=MediaKind.IMAGE, path=str(tmp_path / "missing"))
        )
    assert caught.value.problem.code == "file_unknown"
    text_id = await client.send_text(ANNA, BEN, "no file")
    await client.next_message(BEN)
    for problem, flaw in (
        ("media_damaged", Flaw.FILE_SHA256),
        ("media_unavailable", Flaw.DIRECT_PATH),
    ):
        flawed = await client.send_media(
            ANNA, models.NewMedia(to=BEN, kind=MediaKind.IMAGE, data=b"x", flaw=flaw)
        )
        media = (await client.next_message(BEN)).media
        assert media is not None
        assert not media.is_checked
        with pytest.raises(ControlError) as caught:
            await client.media_bytes(BEN, flawed)
        assert caught.value.problem.code == problem
    with pytest.raises(ControlError) as caught:
        await client.media_bytes(BEN, text_id)
    assert caught.value.problem.code == "no_media"


async def test_faults_of_files_are_rules(client: SandboxClient) -> None:
    """As JSON, at the two points for files."""
    rule = Rule.model_validate_json(
        '{"id": "full", "point": "media_put", "who": {"number": "4915550001", "device": 0},'
        ' "effect": {"kind": "error", "code": 507}, "times": 1}'
    )
    await client.add_rule(rule)

    with pytest.raises(ControlError) as caught:
        await client.send_media(ANNA, models.NewMedia(to=BEN, kind=MediaKind.IMAGE, data=b"x"))

    assert caught.value.problem.code == "media_unavailable"
    assert (await client.rules())[0].applied == 1
    await client.send_media(ANNA, models.NewMedia(to=BEN, kind=MediaKind.IMAGE, data=b"x"))


async def test_a_time_lock_and_a_token_are_set(client: SandboxClient, sandbox: Sandbox) -> None:
    """What is said over HTTP is what the service follows."""
    until = datetime.now(UTC) + timedelta(hours=1)
    account = sandbox.service.accounts.get(sandbox.phone(ANNA).jid)
    await client.set_timelock(ANNA, until, kind="BIZ_QUALITY")
    set_to: Timelock | None = account.timelock
    assert set_to == Timelock(until=until, kind="BIZ_QUALITY")

    with pytest.raises(ControlError) as caught:
        await client.send_text(ANNA, BEN, "hello?")
    assert caught.value.problem.code == "not_delivered"
    assert "463" in caught.value.problem.detail

    await client.lift_timelock(ANNA)
    assert account.timelock is None
    await client.send_text(ANNA, BEN, "hello")
    await client.trust(ANNA, BEN)
    assert list(account.contact_tokens) == [sandbox.phone(BEN).jid.user]


async def test_a_number_is_hidden(client: SandboxClient) -> None:
    """A phone that is told so shows its LID only."""
    hidden = await client.add_phone(hides_number=True)
    await client.send_text(hidden.number, BEN, "who am I?")

    message = await client.next_message(BEN)

    assert (message.sender, message.sender_number) == (f"{hidden.lid}@lid", "")
