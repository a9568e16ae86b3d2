"""Throw-away certificates, checked as a client checks them."""

from __future__ import annotations

import ssl
import time
from typing import TYPE_CHECKING

import pytest

from gateway_worker.sandbox.signal.xeddsa import verify
from gateway_worker.sandbox.wire.certs import CertChain, CertDetails, Trust, create_trust

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return create_trust(tmp_path)


def test_the_noise_chain_leads_to_the_root(trust: Trust) -> None:
    """Root signs intermediate, intermediate signs leaf, leaf holds the server's key."""
    chain = CertChain.FromString(trust.noise.cert_chain)
    intermediate = CertDetails.FromString(chain.intermediate.details)
    leaf = CertDetails.FromString(chain.leaf.details)

    assert verify(trust.root_key, chain.intermediate.details, chain.intermediate.signature)
    assert verify(intermediate.key, chain.leaf.details, chain.leaf.signature)
    assert leaf.key == trust.noise.static.public_key().public_bytes_raw()
    assert (intermediate.issuer_serial, leaf.issuer_serial) == (0, intermediate.serial)
    for details in (intermediate, leaf):
        assert details.not_before < time.time() < details.not_after


def handshake(trust: Trust, name: str) -> None:
    """A TLS handshake in memory with a client that trusts only the authority."""
    client_context = ssl.create_default_context(cafile=str(trust.ca_file))
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    pipes = [ssl.MemoryBIO() for _ in range(2)]
    client = client_context.wrap_bio(pipes[0], pipes[1], server_hostname=name)
    server = trust.tls.wrap_bio(pipes[1], pipes[0], server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("name", ["web.whatsapp.com", "mmg.whatsapp.net", "g.whatsapp.net"])
def test_tls_names(trust: Trust, name: str) -> None:
    """The service's names verify against the authority."""
    handshake(trust, name)


def test_tls_for_another_name(trust: Trust) -> None:
    """Any other name does not."""
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(trust, "example.org")


def test_the_private_key_is_not_for_others(trust: Trust, tmp_path: Path) -> None:
    """Only the owner can read the server's key."""
    assert (tmp_path / "server.pem").stat().st_mode & 0o077 == 0
