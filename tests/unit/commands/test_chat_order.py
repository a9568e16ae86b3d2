"""Which messages keep their order among themselves, by whom they go to."""

import pytest

from gateway_worker.commands.chat_order import order_of


def waits(later: str, earlier: str) -> bool:
    """Whether a later message waits for an earlier one."""
    return not order_of(later).waits_for.isdisjoint(order_of(earlier).marks)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+4915112345678", "+4915112345678"),
        ("+4915112345678", "4915112345678@s.whatsapp.net"),
        ("4915112345678:3@s.whatsapp.net", "4915112345678@c.us"),
        ("+5511987654321", "+551187654321"),
        ("+5215512345678", "+525512345678"),
        ("123456789@lid", "123456789:2@lid"),
        ("123456789@lid", "+4915112345678"),
        ("120363000000000001@g.us", "120363000000000001@g.us"),
        ("status@broadcast", "status@broadcast"),
    ],
)
def test_what_may_be_one_chat_is_in_order(one: str, other: str) -> None:
    """However it is written, and whichever came first."""
    assert waits(one, other)
    assert waits(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+4915112345678", "+4915112345679"),
        ("123456789@lid", "123456780@lid"),
        ("120363000000000001@g.us", "120363000000000002@g.us"),
        ("120363000000000001@g.us", "+4915112345678"),
        ("120363000000000001@g.us", "123456789@lid"),
        ("120363000000000001@newsletter", "status@broadcast"),
    ],
)
def test_what_is_surely_another_chat_need_not_wait(one: str, other: str) -> None:
    """In neither direction."""
    assert not waits(one, other)
    assert not waits(other, one)
