"""The hosts of files, through the proxy, with an independent HTTP client."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import ssl
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.server.media_hosts import HOST, WRITTEN_BYTES
from gateway_worker.sandbox.server.server import WireServer
from gateway_worker.sandbox.service.fault_rules import (
    Corrupt,
    Cut,
    Delay,
    Drop,
    Effect,
    Error,
    Expire,
    Point,
    Rule,
    Slow,
    Truncate,
    Who,
)
from gateway_worker.sandbox.service.service import Service
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NUMBER = "4917000000001"
SIZE = 1_000_003
DATA = os.urandom(SIZE)
SHA256 = hashlib.sha256(DATA).digest()
HASH = base64.urlsafe_b64encode(SHA256).decode()
PROBLEMS = (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """The hosts, and somebody who may upload."""

    service: Service
    server: WireServer
    session: aiohttp.ClientSession
    auth: str

    async def put(
        self,
        data: bytes | BytesIO = DATA,
        *,
        auth: str | None = None,
        claimed: str = HASH,
        **options: Any,
    ) -> tuple[int, str]:
        """Upload; returns status and direct path."""
        url = f"https://{HOST}/mms/document/{claimed}"
        query = {"auth": self.auth if auth is None else auth, "token": claimed}
        async with self.session.post(url, data=data, params=query, **options) as answer:
            body = await answer.json() if answer.status == 200 else {}
            if body:
                assert body["url"] == f"https://{HOST}{body['direct_path']}&mms3=true"
            return answer.status, body.get("direct_path", "")

    async def get(self, path: str, **headers: str) -> tuple[int, bytes, aiohttp.ClientResponse]:
        """Download a direct path."""
        url = URL(f"https://{HOST}{path}", encoded=True)
        async with self.session.get(url, headers=headers) as answer:
            return answer.status, await answer.read(), answer

    async def stored(self) -> str:
        """Upload; returns the direct path."""
        status, path = await self.put()
        assert status == 200
        return path

    def rule(self, point: Point, effect: Effect, times: int | None = 1) -> None:
        """Add a rule about the uploader."""
        who = Who(number=NUMBER, device=0)
        rule = Rule(id=effect.kind, point=point, who=who, effect=effect, times=times)
        self.service.faults.add(rule)


@pytest.fixture
async def hosts(tmp_path: Path) -> AsyncIterator[Hosts]:
    """Open a server and trust it."""
    service = Service()
    async with (
        WireServer(service=service, directory=tmp_path) as server,
        Phone.open(service=service, number=NUMBER) as phone,
    ):
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(server.ca_file)))
        async with aiohttp.ClientSession(connector=connector, proxy=server.proxy_url) as session:
            device = service.accounts.device(phone.jid)
            auth = service.media.tokens.issue(device)
            yield Hosts(service=service, server=server, session=session, auth=auth)


async def test_what_is_uploaded_can_be_downloaded(hosts: Hosts) -> None:
    """With no token, with what clients add to the path, and on one connection."""
    path = await hosts.stored()

    status, data, answer = await hosts.get(f"{path}&hash={HASH}&mms-type=document&__wa-mms=")

    assert (status, data) == (200, DATA)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == str(SIZE)
    again = await hosts.stored()
    assert again.partition("?")[0] == path.partition("?")[0]


async def test_a_large_upload_is_written_while_it_comes(hosts: Hosts) -> None:
    """In several pieces; one that is cut among them is not there, and can come again."""
    data = os.urandom(3 * WRITTEN_BYTES + 5)
    claimed = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
    hosts.rule(Point.MEDIA_PUT, Cut())
    with pytest.raises(PROBLEMS):
        await hosts.put(BytesIO(data), claimed=claimed)
    assert len(hosts.service.media.store) == 0

    status, path = await hosts.put(BytesIO(data), claimed=claimed)

    assert status == 200
    assert (await hosts.get(path))[1] == data


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("0-9", 0, 10), ("500000-", 500_000, SIZE), ("-7", SIZE - 7, SIZE), ("9-2000000", 9, SIZE)],
)
async def test_a_part_can_be_downloaded(hosts: Hosts, asked: str, start: int, stop: int) -> None:
    """As when a download goes on where it was cut."""
    status, data, answer = await hosts.get(await hosts.stored(), Range=f"bytes={asked}")

    assert (status, data) == (206, DATA[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{SIZE}"


@pytest.mark.parametrize("asked", ["2000000-", "5-2", "x"])
async def test_a_part_that_there_is_not_is_refused(hosts: Hosts, asked: str) -> None:
    """With 416."""
    status, _, _ = await hosts.get(await hosts.stored(), Range=f"bytes={asked}")
    assert status == 416


async def test_an_upload_is_checked(hosts: Hosts) -> None:
    """Who uploads, which bytes, and where to; what is refused is not kept."""
    assert await hosts.put(auth="") == (401, "")
    assert await hosts.put(b"other bytes") == (400, "")
    assert await hosts.put(claimed="c2hvcnQ=") == (400, "")
    url = f"https://{HOST}/other/{HASH}"
    async with hosts.session.post(url, data=DATA, params={"auth": hosts.auth}) as answer:
        assert answer.status == 404
    async with hosts.session.put(f"https://{HOST}/mms/image/{HASH}", data=DATA) as answer:
        assert answer.status == 405

    async def pieces() -> AsyncIterator[bytes]:
        yield DATA

    url = f"https://{HOST}/mms/image/{HASH}"
    async with hosts.session.post(url, data=pieces(), params={"auth": hosts.auth}) as answer:
        assert answer.status == 411
    assert len(hosts.service.media.store) == 0


async def test_a_file_is_deleted(hosts: Hosts) -> None:
    """By whoever may upload, once."""
    path = await hosts.stored()
    url = f"https://{HOST}/mms/md-msg-hist/{HASH}"

    statuses = []
    for auth in ("", hosts.auth, hosts.auth):
        async with hosts.session.delete(url, params={"auth": auth}) as answer:
            statuses.append(answer.status)

    assert statuses == [401, 200, 404]
    assert (await hosts.get(path))[0] == 410


async def test_a_path_that_nobody_got_is_refused(hosts: Hosts) -> None:
    """Unknown, or without its signature."""
    path = await hosts.stored()
    assert (await hosts.get("/v/t62.7118-24/1_1_n.enc?oh=x&oe=1"))[0] == 404
    assert (await hosts.get(path.partition("?")[0]))[0] == 403
    assert (await hosts.get("/ws/chat"))[0] == 404


@pytest.mark.parametrize("code", [401, 403, 404, 410, 429, 500, 503])
async def test_a_rule_refuses(hosts: Hosts, code: int) -> None:
    """An upload or a download, with how long to wait, as often as it says."""
    error = Error(code=code, backoff_seconds=3)
    hosts.rule(Point.MEDIA_PUT, error)
    assert (await hosts.put())[0] == code
    path = await hosts.stored()
    hosts.rule(Point.MEDIA_GET, error)

    status, _, answer = await hosts.get(path)

    assert (status, answer.headers["retry-after"]) == (code, "3")
    assert (await hosts.get(path))[1] == DATA


@pytest.mark.parametrize("effect", [Drop(), Cut()])
async def test_a_rule_cuts(hosts: Hosts, effect: Effect) -> None:
    """An upload that is cut leaves nothing; a download is seen to be incomplete."""
    hosts.rule(Point.MEDIA_PUT, effect)
    with pytest.raises(PROBLEMS):
        await hosts.put()
    assert len(hosts.service.media.store) == 0
    path = await hosts.stored()
    hosts.rule(Point.MEDIA_GET, effect, times=None)  # the client tries again by itself

    with pytest.raises(PROBLEMS):
        await hosts.get(path)

    hosts.service.faults.remove(effect.kind)
    assert (await hosts.get(path))[1] == DATA


@pytest.mark.parametrize(
    ("effect", "left"), [(Truncate(keep_bytes=5), 5), (Truncate(), SIZE // 2), (Corrupt(), SIZE)]
)
async def test_a_rule_spoils_a_download(hosts: Hosts, effect: Effect, left: int) -> None:
    """Nothing tells of it but the hash."""
    path = await hosts.stored()
    hosts.rule(Point.MEDIA_GET, effect)

    status, data, answer = await hosts.get(path)

    assert (status, answer.headers["content-length"]) == (200, str(left))
    wrong = [(one ^ other) for one, other in zip(data, DATA, strict=False) if one != other]
    assert (len(data), wrong) == (left, [1] if left == SIZE else [])
    assert (await hosts.get(path))[1] == DATA


async def test_a_rule_lets_a_file_expire(hosts: Hosts) -> None:
    """For good, when it is downloaded or right after its upload."""
    path = await hosts.stored()
    hosts.rule(Point.MEDIA_GET, Expire())
    assert [(await hosts.get(path))[0] for _ in range(2)] == [410, 410]
    hosts.rule(Point.MEDIA_PUT, Expire())

    assert (await hosts.get(await hosts.stored()))[0] == 410


@pytest.mark.parametrize("effect", [Slow(bytes_per_second=SIZE * 4), Delay(seconds=0.25)])
async def test_a_rule_slows_down(hosts: Hosts, effect: Effect) -> None:
    """Both ways; all bytes are there in the end."""
    path = await hosts.stored()
    loop = asyncio.get_running_loop()
    for point in (Point.MEDIA_GET, Point.MEDIA_PUT):
        hosts.rule(point, effect)
        began = loop.time()
        if point is Point.MEDIA_GET:
            assert (await hosts.get(path))[1] == DATA
        else:
            assert (await hosts.put())[0] == 200
        assert loop.time() - began > 0.2


async def test_the_hosts_vanish_with_the_service(hosts: Hosts) -> None:
    """A download is cut and none begins; afterwards they are there again."""
    path = await hosts.stored()
    hosts.rule(Point.MEDIA_GET, Slow(bytes_per_second=1), times=None)
    download = asyncio.create_task(hosts.get(path))
    applied = hosts.service.faults.find("slow")
    await eventually(lambda: applied is not None and applied.applied == 1)

    await hosts.server.refuse_connections()

    with pytest.raises(PROBLEMS):
        await download
    with pytest.raises(aiohttp.ClientConnectionError):
        await hosts.get(path)
    await hosts.server.accept_connections()
    hosts.service.faults.remove("slow")
    assert (await hosts.get(path))[1] == DATA


async def test_many_at_once(hosts: Hosts) -> None:
    """Uploads and downloads beside each other, each its own bytes."""
    files = [os.urandom(100_000) for _ in range(20)]

    async def there_and_back(data: bytes) -> bool:
        claimed = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode()
        _, path = await hosts.put(data, claimed=claimed)
        return (await hosts.get(path))[1] == data

    assert all(await asyncio.gather(*map(there_and_back, files)))
    assert len(hosts.service.media.store) == len(files)
