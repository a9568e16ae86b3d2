"""Whatever arrives is a command or a `CommandRejectedError`, which says nothing it was told."""

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway_contracts import CommandRejectedError, encode, parse_command
from gateway_contracts.codec import MAX_COMMAND_BYTES
from gateway_contracts.spec.catalog import COMMANDS
from gateway_contracts.spec.examples import load_examples
from tests.contracts.damage import damaged, json_values, places
from tests.contracts.support import message_validator

GOLDEN = [golden.payload for golden in load_examples() if golden.type in COMMANDS]
VALIDATORS = {name: message_validator(name) for name in COMMANDS}
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
CANARIES = ("+15550177777", "15550177777@s.whatsapp.net", "meet me at noon", "sëcret 🔑", "\x00q\n")


def outcome(sent: bytes) -> CommandRejectedError | None:
    try:
        command = parse_command(sent)
    except CommandRejectedError as rejected:
        json.dumps(rejected.error.model_dump(mode="json"))
        str(rejected)
        return rejected
    assert parse_command(encode(command)) == command
    return None


@settings(UNTIMED)
@given(st.binary(max_size=400))
@example(b"\xef\xbb\xbf{}")
@example(b"[" * 100_000)
@example(b'{"a":' * 20_000)
@example(b'{"id":"a","subject":"s","x":' + b"[" * 5_000 + b"]" * 5_000 + b"}")
@example(b'{"id":"a","subject":"s","x":' + b"9" * 100_000 + b"}")
@example(b'{"id":"a","subject":"s","x":-1e99999999}')
@example(b'{"id":"\\ud800","subject":"\\udfff\\ud800"}')
@example(b'{"id":"a\\u0000","subject":"s\\u0000"}')
@example(b'{"id":{"id":"a"},"subject":["s"],"type":null}')
@example(b'{"id":"a","id":"b","type":"wa.session.stop.v1"}')
@example(b'{"\xff\xfe":"\xc0\xaf"}')
@example(b'{"id":"a","subject":"s","x":"' + b"\xf0\x9f\x9a\x9a" * MAX_COMMAND_BYTES)
@example(b" " * (MAX_COMMAND_BYTES + 1))
def test_any_bytes(sent: bytes) -> None:
    outcome(sent)


@settings(UNTIMED)
@given(json_values)
def test_any_json(value: Any) -> None:
    assert outcome(json.dumps(value).encode()) is not None


@settings(UNTIMED, max_examples=300)
@given(damaged(GOLDEN))
def test_model_and_schema_take_the_same_damaged_commands(payload: dict[str, Any]) -> None:
    sent = json.dumps(payload).encode()
    rejected = outcome(sent)
    kind = payload.get("type")
    validate = VALIDATORS.get(kind) if isinstance(kind, str) else None
    told = rejected is None and validate is not None
    # The schema cannot see what is no JSON at all for a strict reader, or a date without a UTC.
    if rejected and ("readable JSON" in str(rejected) or _out_of_range(rejected)):
        return
    assert told == (validate is not None and validate.is_valid(json.loads(sent)))


def _out_of_range(rejected: CommandRejectedError) -> bool:
    return all(fault.detail == "is out of range" for fault in rejected.error.errors)


@settings(UNTIMED, max_examples=300)
@given(
    damaged(
        GOLDEN,
        st.sampled_from(CANARIES)
        | st.sampled_from(CANARIES).map(lambda text: [text])
        | st.sampled_from(CANARIES).map(lambda text: {text: text, "kind": text, "method": text}),
    )
)
def test_a_rejection_never_repeats_what_was_sent(payload: dict[str, Any]) -> None:
    rejected = outcome(json.dumps(payload).encode())
    if rejected is not None:
        told = json.dumps(rejected.error.model_dump(mode="json"), ensure_ascii=False)
        for canary in CANARIES:
            assert canary not in told
            assert canary not in str(rejected)
            assert json.dumps(canary)[1:-1] not in told


def places_of_their_own() -> list[list[tuple[Any, ...]]]:
    """Return the places of each example that are none of those before it."""
    seen: set[tuple[Any, ...]] = set()
    found = []
    for payload in GOLDEN:
        own = {known_as(payload, path): path for path in places(payload)[1:]}
        found.append([path for name, path in own.items() if name not in seen])
        seen |= own.keys()
    return found


def known_as(payload: dict[str, Any], path: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what the model calls a place: its fields, and the kinds of what they are in."""
    names = [payload["type"]]
    node: Any = payload
    for part in path:
        names += [node["kind"]] if isinstance(node, dict) and "kind" in node else []
        names.append(part if isinstance(part, str) else "[]")
        node = node[part]
    return tuple(names)


@pytest.mark.parametrize(
    ("payload", "paths"),
    list(zip(GOLDEN, places_of_their_own(), strict=True)),
    ids=[golden.name for golden in load_examples() if golden.type in COMMANDS],
)
def test_no_place_leaks(payload: dict[str, Any], paths: list[tuple[Any, ...]]) -> None:
    for path in paths:
        for canary in CANARIES:
            for value in (canary, {canary: canary}, [canary], {"method": canary, "kind": canary}):
                damaged_one = copy.deepcopy(payload)
                node = damaged_one
                for part in path[:-1]:
                    node = node[part]
                node[path[-1]] = value
                rejected = outcome(json.dumps(damaged_one).encode())
                if rejected is not None:
                    assert canary not in rejected.error.model_dump_json()
                    assert canary not in repr(rejected)


def test_a_broken_body_leaks_nothing_either() -> None:
    (text,) = (
        one.payload for one in load_examples() if one.name == "wa.message.send.v1.group_mention"
    )
    whole = json.dumps(text, ensure_ascii=False).encode()
    secrets = [text["data"]["to"], text["data"]["content"]["text"]]
    for end in range(len(whole)):
        rejected = outcome(whole[:end])
        assert rejected is not None
        assert not any(secret in repr(rejected.error) for secret in secrets)
