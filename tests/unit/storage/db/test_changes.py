"""A batch before it reaches the database: bodies, keys, columns and parts."""

import json
from dataclasses import replace

import pytest

from gateway_contracts import Account, SessionState, dataschema_for, parse_event
from gateway_worker.sessions.changes import Change, Reachout
from gateway_worker.storage.db.changes.bodies import Draft, Found
from gateway_worker.storage.db.changes.columns import message_columns, session_columns
from gateway_worker.storage.db.changes.steps import Step, segments
from tests.integration.storage.db.support import finished, message, receipt, status


def test_a_body_is_the_event_with_its_number_and_schema() -> None:
    """Appended as bytes, it reads like an event that had them from the start."""
    (event,) = message(1, words='}"\\ \x00').events
    draft = Draft.of(event)
    expected = {"sequence": f"{12:020d}", "dataschema": dataschema_for(event.type)}

    body = draft.body(12)
    assert parse_event(body) == event.model_copy(update=expected)
    assert body.count(b'"sequence"') == body.count(b'"dataschema"') == 1
    assert "sequence" not in json.loads(draft.body(None))


def test_what_is_found_at_the_commit_is_part_of_the_event() -> None:
    """As if it had been there from the start."""
    (event,) = receipt(1).events
    found = Found(command_id="c", client_ref='order "7" é', metadata='{"plan": "pro"}')
    told = parse_event(Draft.of(event).body(3, found))

    wanted = {"client_ref": 'order "7" é', "session_metadata": {"plan": "pro"}}
    assert told.correlationid == "c"
    assert told.model_dump()["data"] == {**event.data.model_dump(), **wanted}


def test_a_schema_that_an_event_names_itself_stays() -> None:
    """It is not named twice."""
    (event,) = message(1).events
    named = event.model_copy(update={"dataschema": "urn:other"})
    assert json.loads(Draft.of(named).body(1))["dataschema"] == "urn:other"


def test_an_event_gets_its_number_at_the_commit() -> None:
    """Not before."""
    (event,) = message(1).events
    with pytest.raises(ValueError, match="not before"):
        Draft.of(event.model_copy(update={"sequence": f"{1:020d}"}))


def test_parts_end_where_a_session_is_deleted() -> None:
    """Whatever comes behind a deletion of its session begins another part; others go on."""
    batch = [
        message(1),
        finished("a", delete=True),
        message(1, session="t"),
        message(2),
        finished("b", delete=True),
        finished("c", session="t", delete=True),
        message(3),
    ]
    steps = [Step.of(change) for change in batch]
    parts = [[batch.index(step.change) for step in part] for part in segments(steps)]

    assert parts == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(segments([])) == []


def test_keys_of_messages_and_receipts() -> None:
    """They never meet: the same message, and its receipt."""
    keys = {Step.of(change).key for change in (message(1), message(2), receipt(1), receipt(2))}
    assert len(keys) == 4
    assert Step.of(status()).key is None


def test_sessions_without_news_are_left_out() -> None:
    """Their row is not written; without any there is one empty list per column."""
    idle = Change(session_id="s", epoch=1)
    nobody = Change(session_id="x", epoch=None, events=())
    steps = [Step.of(change) for change in (idle, nobody)]
    assert session_columns(steps, {"s": 3}) == ([], [], [], [], [], [], [])
    steps.append(Step.of(message(1, session="t")))
    values = [[value] for value in ("t", 8, None, None, None, False, None)]
    assert session_columns(steps, {"s": 3, "t": 8}) == tuple(values)


def test_values_of_one_session_are_folded() -> None:
    """The later one wins; an account that came after a logout stays."""
    account = Account(jid="1:1@s.whatsapp.net")
    steps = [
        Step.of(change)
        for change in (
            status(SessionState.LOGGED_OUT, forget_account=True),
            status(SessionState.PAIRING, reachout=Reachout(refusals=2)),
            status(SessionState.CONNECTING, account=account),
        )
    ]
    ids, _, states, _, accounts, forget, reachout = session_columns(steps, {"s": 3})
    assert (ids, states, forget) == (["s"], ["connecting"], [False])
    assert json.loads(accounts[0]) == {"jid": account.jid}
    assert json.loads(reachout[0]) == {"refusals": 2, "until": None}


def test_a_messages_row_names_the_end_that_it_belongs_to() -> None:
    """Without that end it is not written."""
    sent = replace(finished("c"), message=message(1).message)
    assert message_columns([sent, message(2)])[-1] == ["c", None]
