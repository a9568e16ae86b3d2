"""What may be said, and about what."""

from __future__ import annotations

import pytest

from gateway_contracts import ButtonsToSend, ButtonToSend, TextToSend
from gateway_worker.commands.features import Feature
from gateway_worker.commands.handlers.contents import check_features, mentions_all
from gateway_worker.errors import InvalidCommandError, UnsupportedError

BUTTONS = ButtonsToSend(text="Well?", buttons=(ButtonToSend(id="y", title="Yes"),))


def test_buttons_have_to_be_switched_on() -> None:
    """Nothing is sent that most apps do not show, unless an operator wants it."""
    check_features(TextToSend(text="hi"), frozenset())
    check_features(BUTTONS, frozenset({Feature.INTERACTIVE}))
    with pytest.raises(UnsupportedError):
        check_features(BUTTONS, frozenset())


def test_features_by_name() -> None:
    """With commas between them; a name that is none is a fault of the settings."""
    assert Feature.parse(" interactive , ") == {Feature.INTERACTIVE}
    assert Feature.parse("") == frozenset()
    with pytest.raises(ValueError, match="not among interactive"):
        Feature.parse("interactive,hologram")


def test_everybody_is_named_in_groups_only() -> None:
    """Elsewhere there is nobody else."""
    content = {"kind": "text", "text": "@all", "mention_all": True}

    assert mentions_all("120363025550100001@g.us", content)
    assert "mention_all" not in content
    assert not mentions_all("+15550100002", {"mention_all": False})
    with pytest.raises(InvalidCommandError) as refused:
        mentions_all("+15550100002", {"mention_all": True})
    assert refused.value.pointer == "/data/content/mention_all"
