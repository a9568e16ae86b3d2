"""Every command of the contract has a handler, and a QR code can be scanned from its picture."""

from typing import get_args

from gateway_contracts import Command
from gateway_worker.commands.handlers import HANDLERS


def test_every_command_has_a_handler() -> None:
    """And no handler is for something else."""
    union = get_args(Command)[0]
    types = {model.model_fields["type"].default for model in get_args(union)}
    assert set(HANDLERS) == types


def test_what_reaches_people_is_paced() -> None:
    """Messages, status posts, and what changes a group for others, makes one or joins it."""
    groups = ("create", "members", "set", "join", "accept_invite")
    expected = {"wa.message.send.v1", "wa.status.post.v1"} | {
        f"wa.group.{one}.v1" for one in groups
    }

    assert {name for name, handler in HANDLERS.items() if handler.paced is not None} == expected
