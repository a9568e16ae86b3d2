"""CloudEvents' rules for attributes, ids and sequences, and the AMQP properties beside them."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from gateway_contracts import (
    CONTENT_TYPE,
    AmqpProperties,
    ErrorBody,
    ErrorCode,
    SessionStop,
    dataschema_for,
    encode,
    format_sequence,
    new_id,
    properties_for,
)
from gateway_contracts.errors import ErrorCategory
from gateway_contracts.spec.catalog import MESSAGES, is_command, is_worker_event
from gateway_contracts.spec.examples import Example, load_examples
from tests.contracts.support import parse

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.mark.parametrize("message_type", list(MESSAGES))
def test_attribute_names_follow_cloudevents(message_type: str) -> None:
    names = set(MESSAGES[message_type].model_fields) - {"data"}
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in names)
    context = {"specversion", "id", "source", "type", "subject", "time"}
    extensions = {"tenantid", "correlationid", "traceparent"}
    assert names >= context | extensions | {"datacontenttype", "dataschema"}
    assert ("expirytime" in names) == is_command(MESSAGES[message_type])
    is_of_a_session = not is_worker_event(MESSAGES[message_type])
    assert ("sequence" in names) is (is_of_a_session and not is_command(MESSAGES[message_type]))


@pytest.mark.parametrize("message_type", list(MESSAGES))
def test_types_carry_their_major_version(message_type: str) -> None:
    assert re.fullmatch(r"wa\.[a-z]+\.[a-z_]+\.v1", message_type)
    assert dataschema_for(message_type) == (
        f"urn:gateway-contracts:v1:{message_type}#/properties/data"
    )


def test_sequences_sort_as_text() -> None:
    numbers = [1, 9, 10, 99, 100, 2**63 - 1]
    written = [format_sequence(number) for number in numbers]
    assert written == sorted(written)
    assert {len(text) for text in written} == {20}


def test_ids_are_unique_and_sorted_by_their_making() -> None:
    ids = [new_id() for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)
    assert all(UUID7.fullmatch(one) for one in ids)


FORKING = """
import os
from gateway_contracts import new_id
new_id()
for _ in range(2):
    if os.fork() == 0:
        os.write(1, "".join(f"{new_id()}\\n" for _ in range(50)).encode())
        os._exit(0)
    os.wait()
"""


def test_ids_differ_between_forked_processes() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, check=True
    )
    ids = finished.stdout.split()
    assert len(ids) == 100
    # Random bits only: the leading timestamps may differ by luck.
    assert len({one[-17:] for one in ids}) == 100


def test_times_are_written_in_utc() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    stop = SessionStop(
        source="/backends/crm",
        subject="acme-support",
        time=datetime(2026, 11, 24, 14, 45, tzinfo=east),
    )
    assert stop.time == datetime(2026, 11, 24, 9, 15, tzinfo=UTC)
    assert b'"time":"2026-11-24T09:15:00Z"' in encode(stop)


def test_a_time_without_an_offset_is_no_time() -> None:
    naive = datetime(2026, 11, 24, 9, 15)  # noqa: DTZ001
    with pytest.raises(ValidationError, match="timezone"):
        SessionStop(source="/backends/crm", subject="acme-support", time=naive)


@pytest.mark.parametrize("example", load_examples(), ids=lambda example: example.name)
def test_properties_say_what_the_body_says(example: Example) -> None:
    message = parse(example)
    heartbeat = message.type == "wa.worker.heartbeat.v1"
    assert properties_for(message) == AmqpProperties(
        message_id=message.id,
        correlation_id=message.correlationid,
        type=message.type,
        timestamp=message.time,
        app_id=message.source,
        content_type="application/cloudevents+json",
        delivery_mode=1 if heartbeat else 2,
        expiration=timedelta(seconds=15) if heartbeat else None,
        headers={"traceparent": message.traceparent} if message.traceparent else {},
    )
    assert CONTENT_TYPE == "application/cloudevents+json"


def test_short_strings_fit_into_amqp() -> None:
    longest = SessionStop(
        id="i" * 128, source="/" + "s" * 254, subject="s" * 64, correlationid="c" * 128
    )
    properties = properties_for(longest)
    for value in (properties.message_id, properties.correlation_id, properties.app_id):
        assert len((value or "").encode()) <= 255


def test_every_error_code_has_words_and_says_whether_to_retry() -> None:
    assert {code.value: code.retryable for code in ErrorCode} == {
        "invalid_command": False,
        "session_not_found": False,
        "session_not_connected": True,
        "session_exists": False,
        "session_linked": False,
        "session_not_linked": False,
        "unsupported": False,
        "unauthorized": False,
        "recipient_not_on_whatsapp": False,
        "rate_limited": True,
        "reachout_restricted": True,
        "account_restricted": False,
        "expired": False,
        "not_attempted": True,
        "cancelled": False,
        "uncertain": False,
        "encryption_stale": True,
        "upstream_timeout": True,
        "upstream_rejected": False,
        "media_unavailable": False,
        "media_too_large": False,
        "media_refused": False,
        "quota_exceeded": False,
        "capacity": True,
        "internal": True,
    }
    assert len({code.summary for code in ErrorCode}) == len(ErrorCode)


def test_each_code_has_a_category_and_each_category_a_code() -> None:
    """It is derived from the code, so that both cannot contradict each other."""
    assert {code.category for code in ErrorCode} == set(ErrorCategory)
    assert all(ErrorBody.of(code).category is code.category for code in ErrorCode)
