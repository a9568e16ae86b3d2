"""Votes in polls, sealed and opened by the library with the poll's secret from the store."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from neonize import _binder as binder
from neonize.client import NewClient
from neonize.exc import BuildPollVoteError
from neonize.proto.Neonize_pb2 import (
    ArrayString,
    BuildPollVoteReturnFunction,
    Message,
    MessageInfo,
    MessageSource,
    ReturnFunctionWithError,
)

from gateway_worker.whatsapp.convert.people import PHONE_SERVER, without_device
from gateway_worker.whatsapp.host.jids import parse_jid


class Votes:
    """Seals and opens votes.

    Args:
        native: The native library.
        client: Who votes.
        lid_of: Returns the LID of a phone-number JID, if the store knows it.
    """

    def __init__(
        self, *, native: Any, client: NewClient, lid_of: Callable[[str], str | None]
    ) -> None:
        self._native = native
        self._client = client
        self._lid_of = lid_of

    def seal(self, chat: str, *, target: Mapping[str, Any], options: Sequence[str]) -> Any:
        """Return what is chosen in a poll, encrypted with the poll's secret from the store.

        Args:
            chat: The JID of the chat that the poll is in.
            target: The poll: `message_id`, `participant` (who wrote it), `from_me`.
            options: What is chosen, as the poll writes it.

        Raises:
            BuildPollVoteError: The store does not have the secret.
        """
        writer = target["participant"]
        if writer.endswith(f"@{PHONE_SERVER}"):  # in keys people stand by LID
            writer = self._lid_of(writer) or writer
        source = MessageSource(
            Chat=parse_jid(chat),
            Sender=parse_jid(without_device(writer)),
            IsFromMe=target["from_me"],
            IsGroup=chat.endswith("@g.us"),
        )
        info = MessageInfo(ID=target["message_id"], MessageSource=source)
        poll = _complete(info).SerializeToString()
        names = ArrayString(data=dict.fromkeys(options)).SerializeToString()  # each once
        said = self._native.BuildPollVote(self._client.uuid, poll, len(poll), names, len(names))
        answer = BuildPollVoteReturnFunction.FromString(said)
        if answer.Error:
            raise BuildPollVoteError(answer.Error)
        return answer.PollVote.pollUpdateMessage.vote

    def open(self, event: bytes) -> tuple[bytes, ...] | None:
        """Return the hashes of what is chosen in a poll; None if the store lacks the poll's secret.

        Args:
            event: The library's bytes of the message event that brought the vote.
        """
        for form in _vote_forms(event):
            # neonize's own function wants a parsed event, and takes the answer for another.
            said = self._native.DecryptPollVote(self._client.uuid, form, len(form))
            said = binder.consume_bytes_struct(said, None, ())
            answer = ReturnFunctionWithError.FromString(said)
            if not answer.Error:
                return tuple(answer.PollVoteMessage.selectedOptions)
        return None


def _complete(message: Any) -> Any:
    """Give every required field of a protobuf message that has none the value that means none."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            if field.is_required or (not field.is_repeated and message.HasField(field.name)):
                _complete(getattr(message, field.name)).SetInParent()
        elif field.is_required and not message.HasField(field.name):
            setattr(message, field.name, field.default_value)
    return message


def _vote_forms(event: bytes) -> Iterable[bytes]:
    """Yield a vote's event as it is, and under the voter's other id, if there is one.

    The key depends on the id that the voter's device has put in, and that may be either.
    """
    yield event
    parsed = Message.FromString(event)
    source = parsed.Info.MessageSource
    if source.SenderAlt.User:
        source.Sender.CopyFrom(source.SenderAlt)
        yield parsed.SerializeToString()
