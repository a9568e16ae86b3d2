"""Every command of the contract has a handler, and a QR code can be scanned from its picture."""

import base64
import io
from typing import get_args

import zxingcpp
from PIL import Image

from gateway_contracts import Command
from gateway_worker.commands.handlers import HANDLERS
from gateway_worker.commands.handlers.sessions import draw_png


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


def test_the_picture_shows_the_code() -> None:
    """With a code as long as WhatsApp's."""
    code = "2@" + ",".join(["aB3+/" * 9] * 4) + "=="
    picture = Image.open(io.BytesIO(base64.b64decode(draw_png(code))))
    assert [found.text for found in zxingcpp.read_barcodes(picture)] == [code]
