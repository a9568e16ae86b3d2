"""The fetcher against servers on loopback: what it takes, and where it does not go."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway_worker.errors import (
    GatewayError,
    MediaRefusedError,
    MediaSourceError,
    MediaTooLargeError,
    MediaUnavailableError,
    UnsupportedError,
)
from gateway_worker.media.fetching import fetcher as fetching
from gateway_worker.media.fetching.fetcher import EgressProxy, Fetched, Fetcher
from gateway_worker.media.fetching.permissions import Permissions, places
from gateway_worker.media.fetching.resolving import Resolver, SystemResolver
from gateway_worker.sandbox.wire.certs import Trust, create_trust
from tests.support.pacing import pace
from tests.support.web import Names, answer, file_server, redirect, silence

HOST = "files.whatsapp.net"
"""A name for which the sandbox's authority makes certificates."""
HERE = Names(files_whatsapp_net=[["127.0.0.1"]])
BODY = bytes(range(256)) * 1_000


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    """An authority of this module's."""
    return create_trust(tmp_path_factory.mktemp("trust"))


@asynccontextmanager
async def fetching_with(
    *,
    private: str = "http://127.0.0.1",
    resolver: Resolver | None = None,
    trust: Trust | None = None,
    proxy: EgressProxy | None = None,
) -> AsyncIterator[Fetcher]:
    permissions = Permissions(allowed=(), private=places(private), ports=(443,))
    context = None if trust is None else ssl.create_default_context(cafile=str(trust.ca_file))
    async with Fetcher(
        permissions=permissions, resolver=resolver, trust=context, proxy=proxy
    ) as fetcher:
        yield fetcher


async def fetched(
    fetcher: Fetcher, url: str, into: Path, *, limit_bytes: int = 1_000_000, seconds: float = 20.0
) -> Fetched:
    return await fetcher.fetch(
        url, owner="support", into=into, limit_bytes=limit_bytes, seconds=seconds
    )


async def failure(
    fetcher: Fetcher, url: str, into: Path, *, limit_bytes: int = 1_000_000, seconds: float = 20.0
) -> GatewayError:
    """Return why a file cannot be had; nothing may be left of it, and the query not be told."""
    with pytest.raises(GatewayError) as failed:
        await fetched(fetcher, url, into, limit_bytes=limit_bytes, seconds=seconds)
    assert "secret" not in failed.value.detail
    _assert_nothing_at(into)
    return failed.value


def _assert_nothing_at(path: Path) -> None:
    assert path not in [*path.parent.iterdir()]


async def test_a_file_is_fetched(tmp_path: Path, trust: Trust) -> None:
    """By TLS with the name that was asked for; nothing but the file is asked for."""
    into = tmp_path / "file"
    found = answer(BODY, content_type="Image/PNG; x=y")
    async with (
        file_server({"/a": found}, tls=trust.tls) as server,
        fetching_with(private=HOST, resolver=HERE, trust=trust) as fetcher,
    ):
        result = await fetched(fetcher, f"https://{HOST}:{server.port}/a?b=%2F", into)
    assert into.read_bytes() == BODY
    assert into.stat().st_mode & 0o777 == 0o600
    assert result == Fetched(
        size=len(BODY), sha256=hashlib.sha256(BODY).hexdigest(), content_type="image/png", url=""
    )
    line, *headers = server.heads[0].strip().split("\r\n")
    assert line == "GET /a?b=%2F HTTP/1.1"
    assert f"Host: {HOST}:{server.port}" in headers
    assert "Accept-Encoding: identity" in headers
    assert not any(header.lower().startswith(("cookie", "authorization")) for header in headers)


async def test_a_certificate_of_another_name_is_refused(tmp_path: Path, trust: Trust) -> None:
    """Also where the address is right."""
    names = Names(files_example=[["127.0.0.1"]])
    async with (
        file_server({"/a": answer(BODY)}, tls=trust.tls) as server,
        fetching_with(private="files.example", resolver=names, trust=trust) as fetcher,
    ):
        error = await failure(fetcher, f"https://files.example:{server.port}/a", tmp_path / "file")
    assert isinstance(error, MediaUnavailableError)
    assert error.detail == "the certificate of files.example is not trusted"
    assert server.heads == []


async def test_an_authority_nobody_trusts_is_refused(tmp_path: Path, trust: Trust) -> None:
    """As everywhere."""
    async with (
        file_server({"/a": answer(BODY)}, tls=trust.tls) as server,
        fetching_with(private=HOST, resolver=HERE) as fetcher,
    ):
        error = await failure(fetcher, f"https://{HOST}:{server.port}/a", tmp_path / "file")
    assert isinstance(error, MediaUnavailableError)
    assert server.heads == []


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (204, MediaUnavailableError, False),
        (206, MediaUnavailableError, False),
        (304, MediaUnavailableError, False),
        (401, MediaUnavailableError, False),
        (403, MediaUnavailableError, False),
        (404, MediaUnavailableError, False),
        (410, MediaUnavailableError, False),
        (429, MediaSourceError, True),
        (500, MediaSourceError, True),
        (503, MediaSourceError, True),
    ],
)
async def test_an_answer_without_a_file(
    tmp_path: Path, status: int, kind: type[GatewayError], *, retryable: bool
) -> None:
    """It says whether another try can help."""
    async with file_server({"/a": answer(status=status)}) as server, fetching_with() as it:
        error = await failure(it, f"http://127.0.0.1:{server.port}/a?secret", tmp_path / "file")
    assert type(error) is kind
    assert error.detail == f"127.0.0.1 answered {status}"
    assert error.body().code == "media_unavailable"
    assert error.body().retryable is retryable


async def test_a_file_that_is_announced_as_too_large(tmp_path: Path) -> None:
    """It is not begun."""
    async with file_server({"/a": answer(length=1_001)}) as server, fetching_with() as fetcher:
        url = f"http://127.0.0.1:{server.port}/a"
        error = await failure(fetcher, url, tmp_path / "file", limit_bytes=1_000)
    assert isinstance(error, MediaTooLargeError)


async def test_a_file_that_turns_out_too_large(tmp_path: Path) -> None:
    """It is given up as soon as it does, also if it never ends."""
    given = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal given
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        while True:
            writer.write(bytes(10_000))
            given += 10_000
            await writer.drain()

    async with file_server({"/a": endless}) as server, fetching_with() as fetcher:
        url = f"http://127.0.0.1:{server.port}/a"
        error = await failure(fetcher, url, tmp_path / "file", limit_bytes=3_000_000)
    assert isinstance(error, MediaTooLargeError)
    assert given < 100_000_000


async def test_a_file_of_just_the_limit(tmp_path: Path) -> None:
    """It is not too large."""
    async with file_server({"/a": answer(BODY)}) as server, fetching_with() as fetcher:
        url = f"http://127.0.0.1:{server.port}/a"
        result = await fetched(fetcher, url, tmp_path / "file", limit_bytes=len(BODY))
    assert result.size == len(BODY)


async def test_the_beginning_of_a_large_file(tmp_path: Path) -> None:
    """Where that is enough, the rest is not waited for."""

    async def large(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n" + BODY)
        await silence(writer)

    async with file_server({"/a": large}) as server, fetching_with() as fetcher:
        result = await fetcher.fetch(
            f"http://127.0.0.1:{server.port}/a",
            owner="support",
            into=tmp_path / "file",
            limit_bytes=1_000,
            seconds=20,
            whole=False,
        )
    assert (tmp_path / "file").read_bytes() == BODY[:1_000]
    assert result.size == 1_000


async def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    """Nothing is overwritten, nor followed to somewhere else."""
    (tmp_path / "file").symlink_to(tmp_path / "other")
    async with file_server({"/a": answer(BODY)}) as server, fetching_with() as fetcher:
        with pytest.raises(FileExistsError):
            await fetched(fetcher, f"http://127.0.0.1:{server.port}/a", tmp_path / "file")
    assert not (tmp_path / "other").exists()


async def test_a_file_that_is_cut_short(tmp_path: Path) -> None:
    """It is not taken for the whole."""
    cut = answer(BODY, length=len(BODY) + 1)
    async with file_server({"/a": cut}) as server, fetching_with() as fetcher:
        error = await failure(fetcher, f"http://127.0.0.1:{server.port}/a", tmp_path / "file")
    assert isinstance(error, MediaSourceError)


async def test_a_compressed_file_is_refused(tmp_path: Path) -> None:
    """Nothing is unpacked, so nothing grows."""
    packed = answer(b"\x1f\x8b", content_encoding="gzip")
    async with file_server({"/a": packed}) as server, fetching_with() as fetcher:
        error = await failure(fetcher, f"http://127.0.0.1:{server.port}/a", tmp_path / "file")
    assert isinstance(error, MediaRefusedError)


async def test_what_does_not_speak_http(tmp_path: Path) -> None:
    """It is no source of files."""

    async def banner(writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")

    async with file_server({"/a": banner}) as server, fetching_with() as fetcher:
        error = await failure(fetcher, f"http://127.0.0.1:{server.port}/a", tmp_path / "file")
    assert isinstance(error, MediaUnavailableError)


async def test_nothing_listens(tmp_path: Path, unused_tcp_port: int) -> None:
    """Another try may help."""
    async with fetching_with() as fetcher:
        error = await failure(fetcher, f"http://127.0.0.1:{unused_tcp_port}/", tmp_path / "file")
    assert isinstance(error, MediaSourceError)
    assert error.detail == "127.0.0.1 cannot be reached: nothing listens there"


async def test_a_silent_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for."""
    monkeypatch.setattr(fetching, "IDLE_SECONDS", 0.2)
    async with file_server({"/a": silence}) as server, fetching_with() as fetcher:
        error = await failure(fetcher, f"http://127.0.0.1:{server.port}/a", tmp_path / "file")
    assert isinstance(error, MediaSourceError)
    assert error.detail == "127.0.0.1 did not answer in time"


async def test_a_server_that_is_slow_for_ever(tmp_path: Path) -> None:
    """A byte now and then does not keep a file going beyond its time."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await pace(0.02)

    async with file_server({"/a": drip}) as server, fetching_with() as fetcher:
        url = f"http://127.0.0.1:{server.port}/a"
        error = await failure(fetcher, url, tmp_path / "file", seconds=0.5)
    assert isinstance(error, MediaSourceError)


async def test_redirects_are_followed(tmp_path: Path) -> None:
    """Each is a request of its own, to whoever it names."""
    answers = {"/1": redirect("/2?x"), "/2": redirect("3", status=308), "/3": answer(BODY)}
    async with file_server(answers) as server, fetching_with() as fetcher:
        await fetched(fetcher, f"http://127.0.0.1:{server.port}/1", tmp_path / "file")
    assert server.paths == ["/1", "/2?x", "/3"]


async def test_redirects_come_to_an_end(tmp_path: Path) -> None:
    """A circle is left."""
    async with file_server({"/a": redirect("/a")}) as server, fetching_with() as fetcher:
        error = await failure(fetcher, f"http://127.0.0.1:{server.port}/a", tmp_path / "file")
    assert isinstance(error, MediaRefusedError)
    assert len(server.heads) == fetching.MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:{port}/b",
        "https://127.0.0.1:{port}/b",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:{port}/b",
        "http://[::ffff:127.0.0.1]:{port}/b",
        "http://2130706433:{port}/b",
        "//user@127.0.0.1:{port}/b",
        "file:///etc/passwd",
        "\\\\127.0.0.1/b",
    ],
)
async def test_a_redirect_to_elsewhere_is_refused(tmp_path: Path, location: str) -> None:
    """It is checked as the URL was."""
    async with file_server({"/b": answer(BODY)}, host="127.0.0.2") as other:
        go = redirect(location.format(port=other.port))
        async with (
            file_server({"/a": go}, port=other.port) as server,
            fetching_with(private=f"http://127.0.0.1:{other.port}") as fetcher,
        ):
            error = await failure(fetcher, f"http://127.0.0.1:{server.port}/a", tmp_path / "file")
    assert isinstance(error, MediaRefusedError)
    assert (server.connections, other.connections) == (1, 0)


async def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path, trust: Trust) -> None:
    """Also to where one may go without TLS."""
    async with file_server({"/b": answer(BODY)}) as plain:
        go = redirect(f"http://127.0.0.1:{plain.port}/b")
        async with (
            file_server({"/a": go}, tls=trust.tls) as server,
            fetching_with(
                private=f"{HOST},http://127.0.0.1", resolver=HERE, trust=trust
            ) as fetcher,
        ):
            error = await failure(fetcher, f"https://{HOST}:{server.port}/a", tmp_path / "file")
    assert isinstance(error, MediaRefusedError)
    assert plain.connections == 0


async def test_the_address_that_was_checked_is_the_one_connected_to(tmp_path: Path) -> None:
    """A name that means another address a moment later has nothing from it: it is asked once."""
    names = Names(store_example=[["127.0.0.1"], ["127.0.0.2"]])
    async with (
        file_server({"/a": answer(b"right")}) as server,
        file_server({"/a": answer(b"wrong")}, host="127.0.0.2", port=server.port) as other,
        fetching_with(private="http://127.0.0.1", resolver=names) as fetcher,
    ):
        url = f"http://store.example:{server.port}/a"
        await fetched(fetcher, url, tmp_path / "first")
        assert (names.asked, other.connections) == (["store.example"], 0)
        error = await failure(fetcher, url, tmp_path / "second")
    assert isinstance(error, MediaRefusedError)
    assert (tmp_path / "first").read_bytes() == b"right"
    assert (server.connections, other.connections) == (1, 0)


async def test_a_redirect_to_the_same_name_is_checked_again(tmp_path: Path) -> None:
    """It may have another address by then."""
    names = Names(store_example=[["127.0.0.1"], ["127.0.0.2"]])
    answers = {"/a": redirect("/b"), "/b": answer(BODY)}
    async with (
        file_server(answers) as server,
        file_server(answers, host="127.0.0.2", port=server.port) as other,
        fetching_with(private="http://127.0.0.1", resolver=names) as fetcher,
    ):
        url = f"http://store.example:{server.port}/a"
        error = await failure(fetcher, url, tmp_path / "file")
    assert isinstance(error, MediaRefusedError)
    assert (server.paths, other.connections) == (["/a"], 0)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1", "127.0.0.2"],
        ["127.0.0.1", "169.254.169.254"],
        ["127.0.0.1", "::1"],
        ["127.0.0.1", "::ffff:127.0.0.1"],
        ["127.0.0.2"],
    ],
)
async def test_one_bad_address_among_several(tmp_path: Path, addresses: list[str]) -> None:
    """All of a name's addresses have to be right, and nobody is connected to before that."""
    names = Names(store_example=[addresses])
    async with (
        file_server({"/a": answer(BODY)}) as server,
        fetching_with(private="http://127.0.0.1", resolver=names) as fetcher,
    ):
        url = f"http://store.example:{server.port}/a"
        error = await failure(fetcher, url, tmp_path / "file")
    assert isinstance(error, MediaRefusedError)
    assert server.connections == 0


async def test_a_name_without_a_connection_has_other_addresses(tmp_path: Path) -> None:
    """They are tried in turn."""
    names = Names(store_example=[["127.0.0.2", "127.0.0.1"]])
    async with (
        file_server({"/a": answer(BODY)}) as server,
        fetching_with(private="http://127.0.0.0/8", resolver=names) as fetcher,
    ):
        await fetched(fetcher, f"http://store.example:{server.port}/a", tmp_path / "file")
    assert server.paths == ["/a"]


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost/",
        "https://localhost.localdomain/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://0.0.0.0/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/latest/meta-data/",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://2130706433/",
        "http://files.example/",
    ],
)
async def test_nothing_private_is_reached_as_it_is_set_at_first(tmp_path: Path, url: str) -> None:
    """With this machine's own resolver."""
    async with fetching_with(private="", resolver=SystemResolver()) as fetcher:
        error = await failure(fetcher, url, tmp_path / "file")
    assert isinstance(error, MediaRefusedError | MediaUnavailableError | MediaSourceError)
    if "localdomain" not in url:  # of which not every machine knows
        assert isinstance(error, MediaRefusedError)


async def proxied(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heads: list[str], port: int
) -> None:
    """Be a proxy for one connection, which leads to a port here whatever it names."""
    heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
    there, to = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            sink.write(data)
        sink.close()
        await sink.wait_closed()

    await asyncio.gather(pump(reader, to), pump(there, writer), return_exceptions=True)


@pytest.mark.parametrize("resolves", [False, True])
async def test_the_egress_proxy(tmp_path: Path, trust: Trust, *, resolves: bool) -> None:
    """It is given the address that was checked, or the name if it is to resolve it."""
    heads: list[str] = []
    names = Names(files_whatsapp_net=[["127.0.0.9"]])
    async with file_server({"/a": answer(BODY)}, tls=trust.tls) as server:
        proxy = await asyncio.start_server(
            lambda reader, writer: proxied(reader, writer, heads, server.port), "127.0.0.1", 0
        )
        at = f"http://user:word@127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        async with fetching_with(
            private=f"{HOST}:8443",
            resolver=names,
            trust=trust,
            proxy=EgressProxy(url=at, resolves=resolves),
        ) as fetcher:
            await fetched(fetcher, f"https://{HOST}:8443/a", tmp_path / "file")
            refused = await failure(fetcher, "https://10.0.0.1/", tmp_path / "other")
        proxy.close()
    assert isinstance(refused, MediaRefusedError)
    assert len(heads) == 1
    named = HOST if resolves else "127.0.0.9"
    assert heads[0].startswith(f"CONNECT {named}:8443 HTTP/1.1\r\n")
    assert "proxy-authorization: basic" in heads[0].lower()
    assert f"Host: {HOST}:8443" in server.heads[0]
    assert "authorization" not in server.heads[0].lower()
    assert names.asked == ([] if resolves else [HOST])


async def test_a_proxy_that_is_not_there(tmp_path: Path, unused_tcp_port: int) -> None:
    """It is said to be that, without its password."""
    proxy = EgressProxy(url=f"http://user:secret@127.0.0.1:{unused_tcp_port}", resolves=False)
    async with fetching_with(private=HOST, resolver=HERE, proxy=proxy) as fetcher:
        error = await failure(fetcher, f"https://{HOST}/a", tmp_path / "file")
    assert isinstance(error, MediaSourceError)
    assert error.detail == "the egress proxy cannot be reached"
    assert "secret" not in repr(proxy)


async def test_nothing_is_fetched_where_that_is_switched_off(tmp_path: Path) -> None:
    """No server hears of it, whichever it would be."""
    permissions = Permissions(allowed=(), private=places("http://127.0.0.1"), ports=(443,))
    into = tmp_path / "file"
    async with (
        file_server({"/file": answer(BODY)}) as server,
        Fetcher(permissions=permissions, is_on=False) as fetcher,
    ):
        for url in (f"http://127.0.0.1:{server.port}/file", "https://files.example/", "no URL"):
            with pytest.raises(UnsupportedError):
                await fetched(fetcher, url, into)

    assert not into.exists()
