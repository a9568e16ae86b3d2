"""What an operator has switched off is refused, whichever command asks for it."""

from pathlib import Path

import pytest

import gateway_contracts
from gateway_contracts import Command, ErrorCode, parse_command
from gateway_worker.commands.features import DEFAULT, Feature, check, check_kind
from gateway_worker.errors import UnsupportedError

EXAMPLES = Path(gateway_contracts.__file__).parent / "examples"
ALL = frozenset(Feature)


def example(name: str) -> Command:
    """Return one of the contract's examples."""
    return parse_command((EXAMPLES / f"wa.{name}.json").read_bytes())


NEEDING = [
    ("bulk.create.v1", Feature.BULK),
    ("bulk.resume.v1", Feature.BULK),
    ("call.reject.v1", Feature.CALLS),
    ("channel.follow.v1", Feature.CHANNELS),
    ("channel.react.v1", Feature.CHANNELS),
    ("chat.list.v1", Feature.HISTORY),
    ("contact.list.v1", Feature.HISTORY),
    ("message.history.v1", Feature.HISTORY),
    ("message.status.v1", Feature.HISTORY),
    ("message.send.v1.buttons", Feature.INTERACTIVE),
    ("message.send.v1.list_menu", Feature.INTERACTIVE),
    ("message.send.v1.channel", Feature.CHANNELS),
    ("session.update.v1", Feature.CALLS),
    ("session.update.v1", Feature.HISTORY),
    ("status.post.v1", Feature.STATUS),
    ("status.delete.v1", Feature.STATUS),
]


@pytest.mark.parametrize(("name", "feature"), NEEDING)
def test_what_is_switched_off_is_refused(name: str, feature: Feature) -> None:
    """With its feature it passes, without that one it is unsupported."""
    command = example(name)

    check(command, ALL)
    with pytest.raises(UnsupportedError) as refused:
        check(command, ALL - {feature})
    assert refused.value.code is ErrorCode.UNSUPPORTED
    assert feature.value in refused.value.detail


@pytest.mark.parametrize(
    "name",
    [
        "bulk.cancel.v1",
        "bulk.pause.v1",
        "bulk.status.v1",
        "contact.erase.v1",
        "contact.export.v1",
        "message.send.v1",
        "session.create.v1",
        "session.list.v1",
        "session.replay.v1",
    ],
)
def test_nobody_needs_a_feature_to_stop_something_or_to_send_a_text(name: str) -> None:
    """What ends a thing works without it, and so does the gateway's everyday."""
    check(example(name), frozenset())


def test_rows_of_bulks_are_looked_at_by_their_kind() -> None:
    """They are no commands yet."""
    check_kind("text", frozenset())
    with pytest.raises(UnsupportedError):
        check_kind("buttons", DEFAULT)


def test_features_by_name() -> None:
    """With commas between them, or all, or none; a name that is none is a fault of the settings."""
    assert Feature.parse(" bulk , interactive, ") == {Feature.BULK, Feature.INTERACTIVE}
    assert Feature.parse("all") == ALL
    assert Feature.parse("none") == frozenset()
    assert {Feature.INTERACTIVE} == ALL - DEFAULT
    for wrong in ("bulk,hologram", "all,bulk"):
        with pytest.raises(ValueError, match="names among bulk, calls"):
            Feature.parse(wrong)
