"""The ids of chats, as far as they can be told from their text."""

import pytest

from gateway_contracts import Ignore, SessionSettings
from gateway_worker.sessions.chats import can_be_id, spellings_of
from gateway_worker.sessions.settings import host_settings

PHONE = "s.whatsapp.net"


@pytest.mark.parametrize(
    ("with_mark", "without"),
    [
        ("5511987654321", "551187654321"),
        ("5511961234567", "551161234567"),
        ("5215512345678", "525512345678"),
        ("5491112345678", "541112345678"),
    ],
)
def test_a_number_with_two_spellings(with_mark: str, without: str) -> None:
    """Whichever is given, both are one person."""
    both = {f"{with_mark}@{PHONE}", f"{without}@{PHONE}"}
    for given in (with_mark, without):
        assert set(spellings_of(f"{given}@{PHONE}")) == both
        ignore = Ignore(chats=(f"+{given}",))
        assert set(host_settings(SessionSettings(ignore=ignore)).ignored_chats) == both


@pytest.mark.parametrize(
    "chat",
    [
        f"12025550102@{PHONE}",
        f"551133334444@{PHONE}",  # a landline, and somebody else's mobile with a 9
        f"5511933334444@{PHONE}",
        f"5511887654321@{PHONE}",
        f"55@{PHONE}",
        "5511987654321@lid",
        "120363000000000001@g.us",
        "5511987654321@newsletter",
    ],
)
def test_a_chat_with_one_id(chat: str) -> None:
    """It is what it is."""
    assert spellings_of(chat) == (chat,)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("+15550100002", True),
        ("15550100002", True),
        ("15550100002:7@s.whatsapp.net", True),
        ("100000000000002@lid", True),
        ("120363025550100001@g.us", True),
        ("120363025550100002@newsletter", True),
        ("status@broadcast", True),
        ("0@s.whatsapp.net", True),
        ("Ada", False),
        ("@s.whatsapp.net", False),
        ("1555 0100002", False),
        ("1555@S.WHATSAPP.NET\n", False),
        ("", False),
    ],
)
def test_what_may_name_somebody(text: str, *, is_one: bool) -> None:
    """By its form: whether there is anybody WhatsApp knows."""
    assert can_be_id(text) is is_one
