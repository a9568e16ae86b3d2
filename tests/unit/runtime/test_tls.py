"""Contexts that read their certificates again."""

import asyncio
import ssl
from pathlib import Path

import pytest

from gateway_worker.devkit.services.loopback import LOOPBACK
from gateway_worker.runtime.tls import ClientFiles, RotatedContext
from tests.support.authority import Authority, Files


async def served(context: ssl.SSLContext, server: Files) -> bool:
    """Whether a client with this context takes to a server with these files."""
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(server.certificate, server.key)

    def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(greet, LOOPBACK, 0, ssl=own) as listening:
        port = listening.sockets[0].getsockname()[1]
        try:
            _, writer = await asyncio.open_connection(LOOPBACK, port, ssl=context)
        except ssl.SSLCertVerificationError:
            return False
        writer.close()
    return True


async def test_files_are_read_when_they_are_replaced(tmp_path: Path) -> None:
    """Whom it trusts goes by them, and what was trusted before is not any more."""
    ours = Files.below(tmp_path / "client")
    servers = [Files.below(tmp_path / name) for name in ("first", "second")]
    authorities = [Authority(name) for name in ("first", "second")]
    for authority, files in zip(authorities, servers, strict=True):
        authority.write(files)
    authorities[0].write(ours)
    context = RotatedContext(ClientFiles(ca_file=ours.ca))

    before = [await served(context, files) for files in servers]
    authorities[1].write(ours)
    after = [await served(context, files) for files in servers]

    assert (before, after) == ([True, False], [False, True])


async def test_what_cannot_be_read_is_left_for_later(tmp_path: Path) -> None:
    """As in the middle of a replacement; at the start it is an error."""
    ours, server = Files.below(tmp_path / "client"), Files.below(tmp_path / "server")
    authority = Authority("one")
    for files in (ours, server):
        authority.write(files)
    context = RotatedContext(
        ClientFiles(ca_file=ours.ca, cert_file=ours.certificate, key_file=ours.key)
    )

    ours.ca.write_text("no certificate")
    with_rubbish = await served(context, server)
    ours.ca.unlink()
    with_none = await served(context, server)

    assert (with_rubbish, with_none) == (True, True)
    with pytest.raises(OSError, match="No such file"):
        RotatedContext(ClientFiles(ca_file=ours.ca))
