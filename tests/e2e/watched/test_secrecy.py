"""What others than their backends can find out about a worker and its sessions."""

import asyncio
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from yarl import URL

from gateway_contracts import (
    CommandEnvelope,
    GroupJoined,
    GroupUpdated,
    HistoryMessages,
    MediaFailed,
    MediaReady,
    MessageReceived,
    Proxy,
    SentInfo,
    SessionPairCode,
    SessionState,
    SessionStatus,
    StatusReason,
    Topology,
)
from gateway_worker.devkit.services.process import base_environment
from gateway_worker.sandbox.phones.history import HistoryPart, PastChat, PastMessage
from gateway_worker.sandbox.phones.media.draft import Flaw, MediaDraft
from gateway_worker.sandbox.phones.media.kinds import MediaKind
from tests.e2e.harness import Gateway
from tests.e2e.shared.test_files_sent import message, uploaded
from tests.e2e.shared.test_later import bulk, finished
from tests.e2e.shared.test_people import Asking
from tests.e2e.watched.conftest import NAME, Watched
from tests.support.commands import Commands
from tests.support.dead_letters import DeadLetter, DeadLetters
from tests.support.eventually import eventually
from tests.support.listening import held_by, held_by_nobody_who_can_be_seen, is_probe, listeners
from tests.support.otlp import Collector
from tests.support.planted import Planted
from tests.support.samples import picture
from tests.support.web import answer, file_server

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


def told(pid: int, name: str) -> str:
    """Return what the kernel tells of a process; nothing if not even this user may know."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace")
    except PermissionError:
        return ""


async def test_nobody_looks_into_a_worker_or_its_hosts(watched: Watched) -> None:
    """Its secrets are not even there for root to see; its figures are there for everybody."""
    gateway = watched.gateway
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


async def test_nothing_listens_but_the_probes(watched: Watched) -> None:
    """Neither the worker, nor a host, nor whatever else it has started."""
    worker = watched.gateway.worker
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
    watched: Watched, commands: Commands, tmp_path: Path
) -> None:
    """Texts, names, numbers, keys, codes and URLs of all kinds are planted, and then looked for.

    In the log of worker and hosts, traces, probes and metrics, headers of dead letters, and what
    operators are shown who have not asked for it.
    """
    gateway, planted = watched.gateway, watched.planted
    unreachable = asyncio.create_task(_behind_a_proxy(watched))
    await _messages(watched)
    await _files(watched)
    await _groups(watched)
    await _people(watched)
    await _past(watched)
    await _bulks(watched)
    await _another_pairs(watched)
    faulty = await _faulty_commands(watched)
    await _a_host_dies(watched)
    await _exported_and_erased(watched)
    last = gateway.text(NAME, watched.ben.number, planted.word("Last"))
    await gateway.succeed(last)
    await unreachable

    events = [one.body.decode() for one in gateway.backend.arrivals]
    gone_through = planted.found_in(" ".join(events))
    words = {"Ada", "Caption", "File", "Group", "History", "PastName", "Received", "Shown"}
    assert gone_through >= {*words, "QR", "pair code", "number of Ada", "signature of a file"}

    everything = {
        **await _operators(watched, commands, tmp_path),
        **await _letters(watched, faulty),
        **await _probes(gateway),
        "traces": await _traces(watched.spans, last.id),
        "log": gateway.worker.log_path.read_text(),
    }
    assert all(everything.values())
    found = {place: sorted(planted.found_in(text)) for place, text in everything.items()}
    assert {place: whats for place, whats in found.items() if whats} == {}


async def _messages(watched: Watched) -> None:
    """Both ways; to somebody who is not there; what is no message at all."""
    gateway, planted = watched.gateway, watched.planted
    shop, ada, ben = watched.shop, watched.ada, watched.ben
    planted.number("number of nobody", NOBODY)
    await gateway.send(NAME, ada.number, planted.word("Sent"), mentions=(f"+{ben.number}",))
    await gateway.fail(gateway.text(NAME, NOBODY, planted.word("Undelivered")))
    place = {"degreesLatitude": 1.5, "degreesLongitude": 2.5, "name": planted.word("Place")}
    await ada.send_content(shop.number, {"locationMessage": place})
    await ada.send_raw(shop.number, b"\xff" + planted.word("Raw").encode())
    received = await ada.send_text(shop.number, planted.word("Received"))
    await _received(watched, received)


def _asking(watched: Watched) -> Asking:
    """Return what asks things of the session."""
    return Asking(gateway=watched.gateway, name=NAME)


async def _attempt(watched: Watched, command: CommandEnvelope) -> None:
    """Run a command, however it ends."""
    await watched.gateway.backend.request(command, seconds=60)


async def _received(watched: Watched, message_id: str) -> None:
    await watched.gateway.backend.expect(
        MessageReceived, NAME, lambda event: event.data.message_id == message_id, seconds=60
    )


async def _files(watched: Watched) -> None:
    """From the bucket, and by URLs with passwords and signatures; some cannot be had."""
    gateway, planted = watched.gateway, watched.planted
    shop, ada = watched.shop, watched.ada
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
            await _attempt(
                watched, message(gateway, NAME, ada.number, {**content, "media": source})
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


async def _groups(watched: Watched) -> None:
    """Subjects, descriptions, texts; a change that the account may not make."""
    gateway, planted, ada = watched.gateway, watched.planted, watched.ada
    members = [watched.shop.number, watched.ben.number]
    group = str(ada.groups.create(planted.word("Group"), members).jid)
    await gateway.backend.expect(GroupJoined, NAME, seconds=60)
    ada.groups.describe(group, planted.word("Description"))
    await gateway.backend.expect(GroupUpdated, NAME, seconds=60)
    asking = _asking(watched)
    await asking.ask("group.info", group=group)
    change = {"what": "name", "name": planted.word("Renamed")}
    await _attempt(watched, asking.command("group.set", group=group, change=change))
    await gateway.send(NAME, group, planted.word("ToGroup"))
    told_there = await watched.ben.send_text(group, planted.word("InGroup"))
    await _received(watched, told_there)


async def _people(watched: Watched) -> None:
    """Who somebody is and what they show; a profile of one's own; lists of what is stored."""
    planted, ada, asking = watched.planted, watched.ada, _asking(watched)
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


async def _past(watched: Watched) -> None:
    """What was written before the account was linked."""
    planted = watched.planted
    old = PastMessage(message_id="OLD", text=planted.word("History"), sent_at=1_600_000_000)
    address = f"{watched.ben.number}@s.whatsapp.net"
    chat = PastChat(address=address, name=planted.word("PastName"), messages=[old])
    await watched.shop.send_history(HistoryPart(chats=[chat]))
    await watched.gateway.backend.expect(HistoryMessages, NAME, seconds=60)


async def _bulks(watched: Watched) -> None:
    """A file with a fault in it; rows, one of them to nobody."""
    gateway, planted, ada = watched.gateway, watched.planted, watched.ada
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


async def _another_pairs(watched: Watched) -> None:
    """By a code that is never typed."""
    gateway = watched.gateway
    await gateway.create("paired", pair_by_code_of=f"+{watched.ben.number}")
    code = (await gateway.backend.expect(SessionPairCode, "paired", seconds=60)).data.code
    watched.planted.secret("pair code", code)


async def _behind_a_proxy(watched: Watched) -> None:
    """Which cannot be reached; that takes its time to be told."""
    planted = watched.planted
    proxy = Proxy(
        url=f"http://127.0.0.1:{CLOSED}",
        username=planted.word("ProxyUser"),
        password=planted.word("ProxyPassword"),
    )
    await watched.gateway.create("behind", proxy=proxy)
    await watched.gateway.backend.expect(
        SessionStatus,
        "behind",
        lambda event: event.data.reason is StatusReason.PROXY_UNREACHABLE,
        seconds=60,
    )


async def _faulty_commands(watched: Watched) -> list[bytes]:
    """Publish what nobody can execute, each with a token; returns the bodies."""
    gateway, planted = watched.gateway, watched.planted
    source = gateway.backend.source
    data = {"to": planted.word("NoNumber"), "content": {"kind": "text", "text": ""}}
    wrong = gateway.text(NAME, watched.ada.number, planted.word("Wrong")).model_dump(mode="json")
    bodies = [
        json.dumps({**wrong, "id": "faulty-1", "source": source, "data": data}).encode(),
        json.dumps({**wrong, "id": "faulty-2", "expirytime": planted.word("Tomorrow")}).encode(),
        f'{{"id": "faulty-3", "text": "{planted.word("Broken")}'.encode(),
    ]
    headers = {"authorization": f"Bearer {planted.word('Bearer')}"}
    for body in bodies:
        await gateway.backend.publish_raw(body, session_id=NAME, headers=headers)
    stray = gateway.text("nobody", watched.ada.number, planted.word("Stray"))
    await gateway.backend.publish(stray, headers=headers)
    await gateway.backend.outcome(stray.id, seconds=60)
    return [*bodies, stray.id.encode()]


async def _a_host_dies(watched: Watched) -> None:
    """All of them; the session connects again, and goes on."""
    gateway = watched.gateway
    seen = len(gateway.backend.arrivals)
    for host in gateway.worker.hosts():
        host.kill()
    await gateway.until(NAME, SessionState.CONNECTED, after=seen, seconds=60)
    again = await watched.ada.send_text(watched.shop.number, watched.planted.word("Again"))
    await _received(watched, again)


async def _exported_and_erased(watched: Watched) -> None:
    """All that is stored of somebody."""
    asking, number = _asking(watched), f"+{watched.ada.number}"
    exported = await asking.ask("contact.export", contact=number)
    _signed(watched.planted, "an export", exported["url"])
    await asking.ask("contact.erase", contact=number)


async def _operators(watched: Watched, commands: Commands, directory: Path) -> dict[str, str]:
    """Return what operators are shown, and told when something fails."""
    gateway, planted = watched.gateway, watched.planted
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


async def _letters(watched: Watched, parts: list[bytes]) -> dict[str, str]:
    """Return the headers of dead letters, until there is one with each of these in its body."""
    environment = watched.gateway.environment
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
