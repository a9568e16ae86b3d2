"""Golden bad payloads: what is wrong is said, where it is, and to whom it can be said."""

import base64
import json
import tracemalloc
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, FailFast

import gateway_contracts
from gateway_contracts import (
    MAX_COMMAND_BYTES,
    CommandRejectedError,
    ErrorBody,
    ErrorCode,
    MessageSend,
    encode,
    parse_command,
)
from gateway_contracts.spec.catalog import COMMANDS
from gateway_contracts.spec.examples import load_examples
from tests.contracts.support import body, message_validator

EXAMPLES = Path(gateway_contracts.__file__).parent / "examples"
TYPES = ", ".join(f"'{name}'" for name in COMMANDS)
FILES = sorted((Path(__file__).parent / "rejected").glob("*.json"))


def read(file: Path) -> tuple[bytes, dict[str, Any]]:
    case: dict[str, Any] = json.loads(file.read_text("utf-8"))
    if "base64" in case:
        return base64.b64decode(case["base64"]), case
    return (case["text"].encode() if "text" in case else body(case["payload"])), case


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_is_rejected_with_the_faults_at_their_places(file: Path) -> None:
    sent, case = read(file)
    with pytest.raises(CommandRejectedError) as caught:
        parse_command(sent)
    rejected = caught.value
    faults = [
        fault.model_copy(update={"detail": fault.detail.replace(TYPES, "{types}")})
        for fault in rejected.error.errors
    ]
    assert {
        "detail": rejected.error.detail,
        "errors": [fault.model_dump() for fault in faults],
        "command_id": rejected.command_id,
        "session_id": rejected.session_id,
        "command_type": rejected.command_type,
    } == case["expected"]
    assert rejected.error.code is ErrorCode.INVALID_COMMAND
    assert not rejected.error.retryable
    assert rejected.addressable == bool(
        case["expected"]["command_id"] and case["expected"]["session_id"]
    )


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_pointers_lead_to_what_was_sent_or_to_its_parent(file: Path) -> None:
    _, case = read(file)
    for fault in case["expected"]["errors"]:
        *parents, last = fault["pointer"].split("/")[1:]
        node = case["payload"]
        for part in parents:
            node = node[int(part) if isinstance(node, list) else part]
        if fault["detail"] != "Field required":
            assert node[int(last) if isinstance(node, list) else last] is not ...


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_schema_rejects_it_too(file: Path) -> None:
    _, case = read(file)
    payload = case.get("payload")
    message_type = payload.get("type", "") if isinstance(payload, dict) else ""
    # A date at the calendar's edge is well formed; that it has no UTC no schema can say.
    if message_type in COMMANDS and file.stem != "deadline_at_the_edge":
        assert not message_validator(message_type).is_valid(payload)


def test_a_command_that_is_too_long_is_not_read_but_answered() -> None:
    example = load_examples("wa.message.send.v1")[0].payload
    padded = body({**example, "padding": "x" * MAX_COMMAND_BYTES})
    with pytest.raises(CommandRejectedError, match=f"at most {MAX_COMMAND_BYTES} are read") as it:
        parse_command(padded)
    assert (it.value.command_id, it.value.session_id) == (example["id"], example["subject"])


def test_a_command_of_exactly_the_limit_is_read() -> None:
    example = load_examples("wa.message.send.v1")[0].payload
    room = MAX_COMMAND_BYTES - len(body({**example, "padding": ""}))
    command = parse_command(body({**example, "padding": "x" * room}))
    assert isinstance(command, MessageSend)
    assert command.data.to == example["data"]["to"]


def test_faults_are_told_up_to_a_number() -> None:
    example = load_examples("wa.session.create.v1")[0].payload
    labels = {f"name{number}": 1 for number in range(30)}
    with pytest.raises(CommandRejectedError) as caught:
        parse_command(body({**example, "data": {**example["data"], "labels": labels}}))
    assert len(caught.value.error.errors) == 20


def test_a_rejection_travels_as_a_command_failed() -> None:
    for file in FILES:
        sent, _ = read(file)
        with pytest.raises(CommandRejectedError) as caught:
            parse_command(sent)
        error = caught.value.error
        assert ErrorBody.model_validate_json(error.model_dump_json()) == error


def test_built_in_python_a_command_has_all_that_the_wire_wants() -> None:
    example = load_examples("wa.message.send.v1")[0].payload
    built = MessageSend(source="/backends/crm", subject="acme-support", data=example["data"])
    assert parse_command(encode(built)) == built


@pytest.mark.parametrize("mention", ["1", '"x"', "null", '"+15550100002"'])
def test_a_list_without_an_end_is_not_explained_without_an_end(mention: str) -> None:
    """100,000 faults once took 27 seconds; the first of them is enough."""
    many = ",".join([mention] * (240_000 // (len(mention) + 1)))
    example = (EXAMPLES / "wa.message.send.v1.json").read_text("utf-8")
    body = example.replace('"mentions": []', f'"mentions": [{many}]')
    assert len(body) > 200_000
    tracemalloc.start()
    try:
        with pytest.raises(CommandRejectedError) as caught:
            parse_command(body.encode())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 1 <= len(caught.value.error.errors) <= 20
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("message_type", "field", "fits", "too_much"),
    [
        ("wa.message.send.v1", "client_ref", "\N{SNOWMAN}" * 42, "\N{SNOWMAN}" * 43),
        ("wa.session.create.v1", "metadata", {"né": "x" * 2045}, {"né": "x" * 2046}),
    ],
)
def test_what_is_given_back_is_bounded_in_bytes(
    message_type: str, field: str, fits: object, too_much: object
) -> None:
    """No schema can say so: it counts characters."""
    example = load_examples(message_type)[0].payload

    def with_value(value: object) -> bytes:
        return body({**example, "data": {**example["data"], field: value}})

    assert getattr(parse_command(with_value(fits)).data, field) == fits
    with pytest.raises(CommandRejectedError) as caught:
        parse_command(with_value(too_much))
    (fault,) = caught.value.error.errors
    assert fault.pointer == f"/data/{field}"
    assert "bytes in UTF-8" in fault.detail


def lists_in(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[tuple[str, bool]]:
    """Yield the lists in a model and in all that it is made of, and whether one fault ends each."""
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        yield from lists_of(field.annotation, field.metadata, f"{model.__name__}.{name}", seen)


def lists_of(
    annotation: Any, marks: Sequence[Any], name: str, seen: set[type[BaseModel]]
) -> Iterator[tuple[str, bool]]:
    """Yield the same of an annotation."""
    if typing.get_origin(annotation) is Annotated:
        marks = [*marks, *annotation.__metadata__]
        yield from lists_of(typing.get_args(annotation)[0], marks, name, seen)
        return
    if typing.get_origin(annotation) in {tuple, list}:
        yield name, any(isinstance(mark, FailFast) for mark in marks)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from lists_in(annotation, seen)
    for part in typing.get_args(annotation):
        yield from lists_of(part, (), name, seen)


def test_one_fault_ends_every_list_of_a_command() -> None:
    """Eighty thousand faults would be gathered before the first twenty are told."""
    seen: set[type[BaseModel]] = set()
    found = dict(one for command in COMMANDS.values() for one in lists_in(command, seen))
    assert len(found) > 20
    assert [name for name, ends in found.items() if not ends] == []
