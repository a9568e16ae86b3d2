"""What callers are written whose calls are refused: a command of the gateway's own.

It is put off until now, so that it is stored with the call; whoever has the session sends it under
the guarantees of every other send, and its outcome is told.
"""

from typing import Final

from gateway_contracts import CallReceived, MessageSend, MessageSendData, TextToSend, encode
from gateway_contracts.envelope import utc_now
from gateway_worker.commands.fingerprint import fingerprint
from gateway_worker.sessions.deferred import DeferredRow

_SOURCE: Final = "/gateway"


def answer_to(call: CallReceived, text: str) -> DeferredRow:
    """Return the command that writes to a caller; the same for a call that is told again.

    Args:
        call: The call, in a chat with one person.
        text: What is written.

    Raises:
        ValueError: Nobody can be written to under the caller's id.
    """
    command = MessageSend(
        id=f"{call.id}-answer",
        source=_SOURCE,  # one of a worker's is no command
        subject=call.subject,
        tenantid=call.tenantid,
        data=MessageSendData(to=call.data.caller.jid, content=TextToSend(text=text)),
    )
    return DeferredRow(
        command_id=command.id,
        command_type=command.type,
        fingerprint=fingerprint(command),
        due_at=utc_now(),
        body=encode(command),
    )
