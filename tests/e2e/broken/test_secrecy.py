"""What others than their backends can find out about a worker and its sessions."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import pytest_asyncio
from yarl import URL

from gateway_contracts import (
    CommandEnvelope,
    GroupJoined,
    GroupUpdated,
    HistoryDepth,
    HistoryMessages,
    MediaFailed,
    MediaReady,
    MessageReceived,
    Proxy,
    SentInfo,
    SessionPairCode,
    SessionQr,
    SessionState,
    SessionStatus,
    StatusReason,
    Topology,
)
from gateway_worker.devkit.services.process import base_environment, spawned
from gateway_worker.sandbox.phones.history import HistoryPart, PastChat, PastMessage
from gateway_worker.sandbox.phones.media.draft import Flaw, MediaDraft
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from gateway_worker.sandbox.phones.phone import Phone
from tests.e2e.conftest import GatewayMaker
from tests.e2e.harness import Gateway, open_gateway
from tests.e2e.shared.test_files_sent import message, uploaded
from tests.e2e.shared.test_later import bulk, finished
from tests.e2e.shared.test_people import Asking
from tests.support.authority import Authority, Files
from tests.support.commands import Commands
from tests.support.dead_letters import DeadLetter, DeadLetters
from tests.support.eventually import eventually
from tests.support.listening import held_by, held_by_nobody_who_can_be_seen, is_probe, listeners
from tests.support.otlp import Collector, collector
from tests.support.planted import Planted
from tests.support.samples import picture
from tests.support.web import answer, file_server

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("secrecy")]

NAME = "looked-at"
NOBODY = "12025559999"
CLOSED = 9
"""A port at which nobody listens."""
PROBES = ("/live", "/ready", "/health", "/metrics")
LOOK = """
import sys
from gateway_worker.runtime.confinement import drop_capabilities
drop_capabilities()  # root is a user like any other then
for pid in sys.argv[1:]:
    for name in ("environ", "maps", "mem"):
        try:
            open(f"/proc/{pid}/{name}", "rb").read(1)
        except PermissionError:
            continue
        print(pid, name)
"""


@dataclass(frozen=True, kw_only=True)
class LookedAt:
    """A gateway with a session that is linked.

    Attributes:
        gateway: Its worker logs and traces everything.
        spans: Where the traces go.
        planted: What is looked for.
        shop: The phone of the session's account.
        ada: Somebody's.
        ben: Somebody else's.
    """

    gateway: Gateway
    spans: Collector
    planted: Planted
    shop: Phone
    ada: Phone
    ben: Phone

    @property
    def asking(self) -> Asking:
        """Asks things of the session."""
        return Asking(gateway=self.gateway, name=NAME)

    async def attempt(self, command: CommandEnvelope) -> None:
        """Run a command, however it ends."""
        await self.gateway.backend.request(command, seconds=60)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def looked_at(
    gateway_maker: GatewayMaker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LookedAt]:
    """One for all tests in here: they leave it connected.

    The collector is of a private authority, and wants a certificate.
    """
    planted = Planted()
    authority, directory = Authority("collector"), tmp_path_factory.mktemp("secrecy")
    server, client = Files.below(directory / "server"), Files.below(directory / "client")
    authority.write(server)
    authority.write(client)
    async with (
        collector(server) as spans,
        gateway_maker.place() as (sandbox, environment),
    ):
        for name in ("S3_SECRET_ACCESS_KEY", "SNAPSHOT_KEYS"):
            planted.secret(name, environment[name].rpartition(":")[2])
        settings = {
            **environment,
            "LOG_LEVEL": "debug",
            "OTEL_EXPORTER_OTLP_ENDPOINT": spans.url,
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(client.ca),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(client.certificate),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(client.key),
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-token={planted.word('Token')}",
        }
        # As deployed: its secrets come in the environment with which its program is started
        async with open_gateway(sandbox, settings, directory, spawn=spawned) as gateway:
            phones = [
                await sandbox.add_phone(push_name=planted.word(name))
                for name in ("Shop", "Ada", "Ben")
            ]
            for name, phone in zip(("shop", "Ada", "Ben"), phones, strict=True):
                planted.person(name, phone)
            shop, ada, ben = phones
            await gateway.create(
                NAME,
                history=HistoryDepth.RECENT,
                labels={"team": planted.word("Label")},
                metadata={"note": planted.word("Note")},
            )
            code = (await gateway.backend.expect(SessionQr, NAME)).data.code
            planted.qr(code)
            await shop.scan(code)
            await gateway.until(NAME, SessionState.CONNECTED)
            yield LookedAt(
                gateway=gateway, spans=spans, planted=planted, shop=shop, ada=ada, ben=ben
            )


def told(pid: int, name: str) -> str:
    """Return what the kernel tells of a process; nothing if not even this user may know."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
    except PermissionError:
        return ""


async def test_nobody_looks_into_a_worker_or_its_hosts(looked_at: LookedAt) -> None:
    """Its secrets are not even there for root to see; its figures are there for everybody."""
    gateway = looked_at.gateway
    worker = gateway.worker.process
    processes = [worker, *gateway.worker.zygotes(), *gateway.worker.hosts()]
    assert len(processes) >= 3

    # The others have root's capabilities in a test, so nobody without them could look anyway.
    looking = [sys.executable, "-c", LOOK, *(str(one.pid) for one in gateway.worker.hosts())]
    found = subprocess.run(looking, check=True, capture_output=True, text=True)  # noqa: ASYNC221
    assert found.stdout == ""
    for one in processes:
        environment = told(one.pid, "environ")
        for name in ("AMQP_URL", "DATABASE_URL", "S3_SECRET_ACCESS_KEY", "SNAPSHOT_KEYS"):
            secret = gateway.environment[name].rpartition("//")[2]
            assert secret not in environment, name
        limits = told(one.pid, "limits")
        (core,) = [line.split()[4:6] for line in limits.splitlines() if "core file" in line]
        assert core == ["0", "0"]

    async def hosts_bytes() -> int:
        health = await gateway.worker.health()
        return int(health["resources"]["hosts_pss_bytes"])

    assert await eventually(hosts_bytes, timeout_seconds=30) > 2**20


async def test_nothing_listens_but_the_probes(looked_at: LookedAt) -> None:
    """Neither the worker, nor a host, nor whatever else it has started."""
    worker = looked_at.gateway.worker
    assert worker.hosts()
    processes = [worker.process, *worker.process.children(recursive=True)]

    try:
        held = held_by(processes)
    except PermissionError:  # not even root, without a capability: so nobody else may be there
        await eventually(_only_probes_are_hidden, timeout_seconds=60)
        assert await is_probe(worker.probe_port)
    else:
        assert {one.port for one in listeners() if one.inode in held} == {worker.probe_port}


async def _only_probes_are_hidden() -> bool:
    hidden = {one.port for one in held_by_nobody_who_can_be_seen()}
    others = [port for port in sorted(hidden) if not await is_probe(port)]
    assert not others, others
    return True


@pytest.mark.timeout(300)
async def test_what_is_private_is_told_to_backends_alone(
    looked_at: LookedAt, commands: Commands, tmp_path: Path
) -> None:
    """Texts, names, numbers, keys, codes and URLs of all kinds are planted, and then looked for.

    In the log of worker and hosts, traces, probes and metrics, headers of dead letters, and what
    operators are shown who have not asked for it.
    """
    gateway, planted = looked_at.gateway, looked_at.planted
    unreachable = asyncio.create_task(_behind_a_proxy(looked_at))
    await _messages(looked_at)
    await _files(looked_at)
    await _groups(looked_at)
    await _people(looked_at)
    await _past(looked_at)
    await _bulks(looked_at)
    await _another_pairs(looked_at)
    faulty = await _faulty_commands(looked_at)
    await _a_host_dies(looked_at)
    await _exported_and_erased(looked_at)
    last = gateway.text(NAME, looked_at.ben.number, planted.word("Last"))
    await gateway.succeed(last)
    await unreachable

    events = [one.body.decode() for one in gateway.backend.arrivals]
    gone_through = planted.found_in(" ".join(events))
    words = {"Ada", "Caption", "File", "Group", "History", "PastName", "Received", "Shown"}
    assert gone_through >= {*words, "QR", "pair code", "number of Ada", "signature of a file"}

    everything = {
        **await _operators(looked_at, commands, tmp_path),
        **await _letters(looked_at, faulty),
        **await _probes(gateway),
        "traces": await _traces(looked_at.spans, last.id),
        "log": gateway.worker.log_path.read_text(),
    }
    assert all(everything.values())
    found = {place: sorted(planted.found_in(text)) for place, text in everything.items()}
    assert {place: whats for place, whats in found.items() if whats} == {}


async def _messages(looked_at: LookedAt) -> None:
    """Both ways; to somebody who is not there; what is no message at all."""
    gateway, planted = looked_at.gateway, looked_at.planted
    shop, ada, ben = looked_at.shop, looked_at.ada, looked_at.ben
    planted.number("number of nobody", NOBODY)
    await gateway.send(NAME, ada.number, planted.word("Sent"), mentions=(f"+{ben.number}",))
    await gateway.fail(gateway.text(NAME, NOBODY, planted.word("Undelivered")))
    place = {"degreesLatitude": 1.5, "degreesLongitude": 2.5, "name": planted.word("Place")}
    await ada.send_content(shop.number, {"locationMessage": place})
    await ada.send_raw(shop.number, b"\xff" + planted.word("Raw").encode())
    received = await ada.send_text(shop.number, planted.word("Received"))
    await _received(looked_at, received)


async def _received(looked_at: LookedAt, message_id: str) -> None:
    await looked_at.gateway.backend.expect(
        MessageReceived, NAME, lambda event: event.data.message_id == message_id, seconds=60
    )


async def _files(looked_at: LookedAt) -> None:
    """From the bucket, and by URLs with passwords and signatures; some cannot be had."""
    gateway, planted = looked_at.gateway, looked_at.planted
    shop, ada = looked_at.shop, looked_at.ada
    draft = MediaDraft(
        kind=MediaKind.DOCUMENT,
        data=os.urandom(5_000),
        file_name=planted.word("File"),
        caption=planted.word("Caption"),
    )
    await ada.send_media(shop.number, draft)
    ready = await gateway.backend.expect(MediaReady, NAME, seconds=60)
    _signed(planted, "a file", ready.data.media.url)
    spoilt = MediaDraft(kind=MediaKind.IMAGE, data=picture(form="JPEG"), flaw=Flaw.FILE_SHA256)
    await ada.send_media(shop.number, spoilt)
    await gateway.backend.expect(MediaFailed, NAME, seconds=60)

    query = f"X-Amz-Credential={planted.word('Credential')}&X-Amz-Signature={planted.word('Seal')}"
    content = {"kind": "document", "file_name": planted.word("Name")}
    login = f"{planted.word('User')}:{planted.word('Password')}@"
    path = planted.word("Path")
    async with file_server({f"/{path}": answer(b"%PDF-1.4\n" + bytes(2_000))}) as server:
        for before, after in (("", ""), ("", "/missing"), (login, "")):
            url = f"http://{before}127.0.0.1:{server.port}/{path}{after}?{query}"
            source = {"source": "url", "url": url}
            await looked_at.attempt(
                message(gateway, NAME, ada.number, {**content, "media": source})
            )
    media_id = await uploaded(gateway, NAME, "application/pdf", b"%PDF-1.4\n" + os.urandom(2_000))
    source = {"source": "upload", "media_id": media_id}
    sent = await gateway.succeed(message(gateway, NAME, ada.number, {**content, "media": source}))
    assert isinstance(sent, SentInfo)
    shown = await ada.inbox.wait_for(lambda one: one.message_id == sent.message_id, timeout=60)
    planted.key("a file's key", (await ada.media(shown)).media_key)


def _signed(planted: Planted, what: str, url: str | None) -> None:
    """Look for the signature of a presigned URL."""
    assert url is not None
    (signature,) = [
        value for name, value in parse_qsl(urlsplit(url).query) if name.endswith("Signature")
    ]
    planted.secret(f"signature of {what}", signature)


async def _groups(looked_at: LookedAt) -> None:
    """Subjects, descriptions, texts; a change that the account may not make."""
    gateway, planted, ada = looked_at.gateway, looked_at.planted, looked_at.ada
    members = [looked_at.shop.number, looked_at.ben.number]
    group = str(ada.groups.create(planted.word("Group"), members).jid)
    await gateway.backend.expect(GroupJoined, NAME, seconds=60)
    ada.groups.describe(group, planted.word("Description"))
    await gateway.backend.expect(GroupUpdated, NAME, seconds=60)
    asking = looked_at.asking
    await asking.ask("group.info", group=group)
    change = {"what": "name", "name": planted.word("Renamed")}
    await looked_at.attempt(asking.command("group.set", group=group, change=change))
    await gateway.send(NAME, group, planted.word("ToGroup"))
    told_there = await looked_at.ben.send_text(group, planted.word("InGroup"))
    await _received(looked_at, told_there)


async def _people(looked_at: LookedAt) -> None:
    """Who somebody is and what they show; a profile of one's own; lists of what is stored."""
    planted, ada, asking = looked_at.planted, looked_at.ada, looked_at.asking
    number = f"+{ada.number}"
    ada.profile.about = planted.word("Shown")
    ada.set_picture(picture(form="JPEG"))
    await asking.ask("contact.check", numbers=[number, NOBODY])
    await asking.ask("contact.lookup", people=[number, NOBODY])
    await asking.ask("contact.info", contact=number)
    shown = await asking.ask("contact.picture", contact=number, store=True)
    _signed(planted, "a portrait", shown["media"]["url"])
    await asking.refused("contact.info", contact=NOBODY)
    await asking.ask("contact.block", contact=number)
    await asking.ask("contact.unblock", contact=number)
    await asking.ask("profile.set", about=planted.word("About"))
    for kind in ("chat.list", "contact.list", "message.history"):
        await asking.ask(kind)


async def _past(looked_at: LookedAt) -> None:
    """What was written before the account was linked."""
    planted = looked_at.planted
    old = PastMessage(message_id="OLD", text=planted.word("History"), sent_at=1_600_000_000)
    address = f"{looked_at.ben.number}@s.whatsapp.net"
    chat = PastChat(address=address, name=planted.word("PastName"), messages=[old])
    await looked_at.shop.send_history(HistoryPart(chats=[chat]))
    await looked_at.gateway.backend.expect(HistoryMessages, NAME, seconds=60)


async def _bulks(looked_at: LookedAt) -> None:
    """A file with a fault in it; rows, one of them to nobody."""
    gateway, planted, ada = looked_at.gateway, looked_at.planted, looked_at.ada
    content = {"kind": "text", "text": planted.word("Template") + " {{name}}"}
    lines = f"to,name\n{ada.number},{planted.word('Cell')}\n{planted.word('Faulty')},x\n"
    media_id = await uploaded(gateway, NAME, "text/csv", lines.encode())
    file = {"media": {"source": "upload", "media_id": media_id}, "format": "csv"}
    await gateway.fail(bulk(gateway, NAME, content=content, file=file))
    variables = {"name": planted.word("Variable")}
    rows = [{"to": to, "variables": variables} for to in (ada.number, NOBODY)]
    command = bulk(gateway, NAME, content=content, rows=rows)
    await gateway.succeed(command)
    result = (await finished(gateway, NAME, command.id)).data.result
    assert result is not None
    _signed(planted, "a result", result.url)


async def _another_pairs(looked_at: LookedAt) -> None:
    """By a code that is never typed."""
    gateway = looked_at.gateway
    await gateway.create("paired", pair_by_code_of=f"+{looked_at.ben.number}")
    code = (await gateway.backend.expect(SessionPairCode, "paired", seconds=60)).data.code
    looked_at.planted.secret("pair code", code)


async def _behind_a_proxy(looked_at: LookedAt) -> None:
    """Which cannot be reached; that takes its time to be told."""
    planted = looked_at.planted
    proxy = Proxy(
        url=f"http://127.0.0.1:{CLOSED}",
        username=planted.word("ProxyUser"),
        password=planted.word("ProxyPassword"),
    )
    await looked_at.gateway.create("behind", proxy=proxy)
    await looked_at.gateway.backend.expect(
        SessionStatus,
        "behind",
        lambda event: event.data.reason is StatusReason.PROXY_UNREACHABLE,
        seconds=60,
    )


async def _faulty_commands(looked_at: LookedAt) -> list[bytes]:
    """Publish what nobody can execute, each with a token; returns the bodies."""
    gateway, planted = looked_at.gateway, looked_at.planted
    source = gateway.backend.source
    data = {"to": planted.word("NoNumber"), "content": {"kind": "text", "text": ""}}
    wrong = gateway.text(NAME, looked_at.ada.number, planted.word("Wrong")).model_dump(mode="json")
    bodies = [
        json.dumps({**wrong, "id": "faulty-1", "source": source, "data": data}).encode(),
        json.dumps({**wrong, "id": "faulty-2", "expirytime": planted.word("Tomorrow")}).encode(),
        f'{{"id": "faulty-3", "text": "{planted.word("Broken")}'.encode(),
    ]
    headers = {"authorization": f"Bearer {planted.word('Bearer')}"}
    for body in bodies:
        await gateway.backend.publish_raw(body, session_id=NAME, headers=headers)
    stray = gateway.text("nobody", looked_at.ada.number, planted.word("Stray"))
    await gateway.backend.publish(stray, headers=headers)
    await gateway.backend.outcome(stray.id, seconds=60)
    return [*bodies, stray.id.encode()]


async def _a_host_dies(looked_at: LookedAt) -> None:
    """All of them; the session connects again, and goes on."""
    gateway = looked_at.gateway
    seen = len(gateway.backend.arrivals)
    for host in gateway.worker.hosts():
        host.kill()
    await gateway.until(NAME, SessionState.CONNECTED, after=seen, seconds=60)
    again = await looked_at.ada.send_text(looked_at.shop.number, looked_at.planted.word("Again"))
    await _received(looked_at, again)


async def _exported_and_erased(looked_at: LookedAt) -> None:
    """All that is stored of somebody."""
    asking, number = looked_at.asking, f"+{looked_at.ada.number}"
    exported = await asking.ask("contact.export", contact=number)
    _signed(looked_at.planted, "an export", exported["url"])
    await asking.ask("contact.erase", contact=number)


async def _operators(looked_at: LookedAt, commands: Commands, directory: Path) -> dict[str, str]:
    """Return what operators are shown, and told when something fails."""
    gateway, planted = looked_at.gateway, looked_at.planted
    settings = {**base_environment(), **gateway.environment}
    wrong = str(URL(settings["AMQP_URL"]).with_password(planted.word("Login")))
    shown: dict[str, str] = {}
    for environment, words, is_fine in (
        (settings, ("dead", "list"), True),
        (settings, ("dead", "list", "--json"), True),
        (settings, ("audit", "--session", NAME, "--json"), True),
        (settings, ("send", "nobody", f"+{NOBODY}", planted.word("Typed")), False),
        ({**settings, "AMQP_URL": wrong}, ("dead", "list"), False),
    ):
        ended = await commands.run(environment, directory, "ctl", *words)
        assert (ended.code == 0) is is_fine, (words, ended)
        shown[f"ctl {words[0]}, {len(shown)}"] = ended.out + ended.err
    return shown


async def _letters(looked_at: LookedAt, parts: list[bytes]) -> dict[str, str]:
    """Return the headers of dead letters, until there is one with each of these in its body."""
    environment = looked_at.gateway.environment
    topology = Topology(prefix=environment["AMQP_PREFIX"])
    async with DeadLetters.open(environment["AMQP_URL"], topology) as letters:
        found: list[DeadLetter] = []
        while not all(any(part in one.body for one in found) for part in parts):
            found.append(await letters.next(seconds=60))
    return {f"letter {number}": repr(one.headers) for number, one in enumerate(found)}


async def _probes(gateway: Gateway) -> dict[str, str]:
    """Return what the probes say."""
    answers = {path: await gateway.worker.probe(path) for path in PROBES}
    assert {status for status, _ in answers.values()} == {200}
    return {path: body.decode() for path, (_, body) in answers.items()}


async def _traces(spans: Collector, last: str) -> str:
    """Return all spans, once that of the last command has come."""
    await eventually(partial(_has, spans, last), timeout_seconds=60)
    return repr(spans.spans)


def _has(spans: Collector, command_id: str) -> bool:
    return any(one.attributes.get("messaging.message.id") == command_id for one in spans.spans)
