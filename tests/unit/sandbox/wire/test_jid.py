"""Addresses in text form."""

from __future__ import annotations

import pytest

from gateway_worker.sandbox.wire.jid import SERVER, Jid, lid, pn


@pytest.mark.parametrize(
    ("text", "jid"),
    [
        ("4917@s.whatsapp.net", pn("4917")),
        ("4917:3@s.whatsapp.net", pn("4917", 3)),
        ("99:12@lid", lid("99", 12)),
        ("1203-44@g.us", Jid("1203-44", "g.us")),
        ("s.whatsapp.net", SERVER),
    ],
)
def test_text_and_back(text: str, jid: Jid) -> None:
    """Parsing and writing are inverse."""
    assert (Jid.parse(text), str(jid)) == (jid, text)


def test_the_agent_of_old_addresses_is_dropped() -> None:
    """`user.agent:device` names the same device as `user:device`."""
    assert Jid.parse("4917.0:3@s.whatsapp.net") == pn("4917", 3)


def test_a_device_that_is_no_number() -> None:
    """A broken device part is an error, not a device 0."""
    with pytest.raises(ValueError, match="invalid literal"):
        Jid.parse("4917:x@s.whatsapp.net")


def test_account_and_device() -> None:
    """An account is its device 0."""
    assert lid("9", 4).account == lid("9")
    assert lid("9", 4).with_device(2) == lid("9", 2)
    assert lid("9").is_lid
    assert not pn("9").is_lid
