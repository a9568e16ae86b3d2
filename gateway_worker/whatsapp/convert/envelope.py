"""What is told beside a message's content: what it quotes, and where it comes from."""

from typing import Any, Final

from gateway_worker.whatsapp.convert.people import People, without_device
from gateway_worker.whatsapp.convert.texts import clean, message_id, short, short_id

_MANY: Final = 5
"""From this score on WhatsApp's apps show a message as forwarded many times."""
_MOST: Final = 1_000_000
_TEXT_CHARACTERS: Final = 4_096
_MOST_SECONDS: Final = 10 * 366 * 86_400
_SHARED: Final = ("@g.us", "@broadcast", "@newsletter")
"""How the ids of conversations of more than two end."""


def envelope(context: Any, people: People) -> tuple[dict[str, Any], bool]:
    """Return what a context says, as an event's `data` has it, and whether it is told as it is.

    Args:
        context: The library's `ContextInfo`.
        people: Who is who.
    """
    told: dict[str, Any] = {}
    quoted = message_id(context.stanzaID)
    if quoted is not None:
        told["reply_to"] = _quoted(quoted, context, people)
    if context.isForwarded or context.forwardingScore:
        score = min(context.forwardingScore, _MOST)
        told["forwarded"] = {"score": score, "many": score >= _MANY}
    if 0 < context.expiration <= _MOST_SECONDS:
        told |= {"disappearing_seconds": context.expiration}
    if referral := _referral(context):
        told |= {"referral": referral}
    return told, quoted is not None or not context.stanzaID


def _quoted(identity: str, context: Any, people: People) -> dict[str, Any]:
    told: dict[str, Any] = {"message_id": identity}
    if place := _elsewhere(context.remoteJID):
        told |= {"chat": place}
    if not context.participant:
        return told
    named = people.named(clean(context.participant))
    return told | {"participant": named, "from_me": people.is_me(named)}


def _elsewhere(jid: str | bytes) -> str | None:
    """Return where a message is that is quoted, if that is named and no chat of two people."""
    if not jid:
        return None
    place = without_device(short_id(jid))
    return place if place.endswith(_SHARED) else None


def _referral(context: Any) -> dict[str, Any]:
    """Return what has brought the sender here; nothing if that is not told."""
    ad = context.externalAdReply
    texts = {
        "source_type": ad.sourceType,
        "source_id": ad.sourceID,
        "source_url": ad.sourceURL,
        "source_app": ad.sourceApp,
        "headline": ad.title,
        "body": ad.body,
        "media_url": ad.mediaURL,
        "click_id": ad.ctwaClid,
        "reference": ad.ref,
        "entry_point": context.entryPointConversionSource,
        "entry_point_app": context.entryPointConversionApp,
    }
    told: dict[str, Any] = {
        name: short(text, _TEXT_CHARACTERS) for name, text in texts.items() if text
    }
    if context.HasField("entryPointConversionDelaySeconds"):
        told |= {"entry_point_delay_seconds": context.entryPointConversionDelaySeconds}
    return told
