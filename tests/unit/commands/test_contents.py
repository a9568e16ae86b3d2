"""What may be said, and about what."""

from __future__ import annotations

import pytest

from gateway_worker.commands.handlers.contents import mentions_all
from gateway_worker.errors import InvalidCommandError


def test_everybody_is_named_in_groups_only() -> None:
    """Elsewhere there is nobody else."""
    content = {"kind": "text", "text": "@all", "mention_all": True}

    assert mentions_all("120363025550100001@g.us", content)
    assert "mention_all" not in content
    assert not mentions_all("+15550100002", {"mention_all": False})
    with pytest.raises(InvalidCommandError) as refused:
        mentions_all("+15550100002", {"mention_all": True})
    assert refused.value.pointer == "/data/content/mention_all"
