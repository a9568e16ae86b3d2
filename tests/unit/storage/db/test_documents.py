"""Models in JSON columns: written so that PostgreSQL takes them, and read again."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_contracts import (
    Account,
    Done,
    ErrorBody,
    ErrorCode,
    FieldError,
    PairByCode,
    PairByQr,
    QrInfo,
    SentInfo,
    TextContent,
)
from gateway_contracts.commands import Pairing
from gateway_worker.sessions.changes import Outcome
from gateway_worker.storage.db import documents
from tests.integration.storage.db.support import NOW, SEND


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(command_id="c", command_type=SEND, result=Done()),
        Outcome(
            command_id="c",
            command_type=SEND,
            result=SentInfo(message_id="M", chat="x@lid", timestamp=NOW),
            attempts=3,
        ),
        Outcome(command_id="c", command_type=SEND, result=QrInfo(code="2@x", expires_at=NOW)),
        Outcome(
            command_id="c",
            command_type=SEND,
            error=ErrorBody.of(
                ErrorCode.INVALID_COMMAND,
                'with "quotes"',
                errors=(FieldError(pointer="/id", detail="taken"),),
            ),
        ),
        Outcome(
            command_id="c",
            command_type=SEND,
            error=ErrorBody.of(ErrorCode.RATE_LIMITED, retry_after_ms=1500),
        ),
        Outcome(command_id="c", command_type=SEND),
    ],
    ids=["done", "sent", "qr", "invalid", "later", "neither"],
)
def test_an_outcome_comes_back_as_it_was(outcome: Outcome) -> None:
    """A repeated command gets exactly what the first one got."""
    stored = json.loads(documents.outcome_text(outcome))
    read = documents.read_outcome(
        stored, command_id="c", command_type=SEND, attempts=outcome.attempts
    )
    assert read == outcome


@pytest.mark.parametrize("pairing", [PairByQr(), PairByCode(phone_number="+12025550100")])
def test_a_pairing_comes_back(pairing: Pairing) -> None:
    """Both ways."""
    assert documents.read_pairing(json.loads(documents.model_text(pairing))) == pairing


def test_an_account_comes_back() -> None:
    """Or none."""
    account = Account(jid="12025550100:1@s.whatsapp.net", lid="1:1@lid", push_name="Shop")
    assert documents.read_account(json.loads(documents.model_text(account))) == account
    assert documents.read_account(None) is None


@given(words=st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
def test_a_text_without_nul_comes_back(words: str) -> None:
    """Backslashes that look like an escaped NUL included."""
    for text in (words, words + "\\u0000", "\\" + words):
        content = TextContent.model_construct(text=text, mentions=(), kind="text")
        stored = documents.model_text(content)
        assert json.loads(stored)["text"] == text


@given(name=st.text(), words=st.text())
def test_nul_never_reaches_the_database(name: str, words: str) -> None:
    """Neither in a value nor in a name, at any depth; the rest of the text stays."""
    stored = documents.mapping_text({f"\x00{name}": [{f"a{name}\x00": f"{words}\x00"}]})
    ((outer, ((inner, text),)),) = [
        (key, [pair for entry in entries for pair in entry.items()])
        for key, entries in json.loads(stored).items()
    ]
    name, words = name.replace("\x00", "\ufffd"), words.replace("\x00", "\ufffd")
    assert (outer, inner, text) == (f"\ufffd{name}", f"a{name}\ufffd", f"{words}\ufffd")
