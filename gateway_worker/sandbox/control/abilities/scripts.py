"""What a phone does by itself when a message comes in."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.control import models
from gateway_worker.sandbox.control.operation import Operation
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.phones.scripts import Script, auto_read, auto_reply
from gateway_worker.sandbox.phones.values import ChatMessage


def set_script(phone: Phone, body: models.ScriptBody) -> None:
    """Replace what a phone does by itself."""
    phone.set_scripts(_scripts(body))


def _scripts(body: models.ScriptBody) -> list[Script]:
    scripts: list[Script] = []
    if body.auto_read:
        scripts.append(auto_read(after_seconds=body.after_seconds))
    template = body.auto_reply
    if template is not None:

        def answer(message: ChatMessage) -> str:
            return template.replace("{number}", message.sender_number).replace(
                "{text}", message.text
            )

        pause = 0.0 if body.auto_read else body.after_seconds
        scripts.append(auto_reply(answer, quote=body.quote, after_seconds=pause))
    return scripts


OPERATIONS: Final = (
    Operation(
        name="set_script", route="PUT /phones/{number}/script", run=set_script, whole="script"
    ),
)
