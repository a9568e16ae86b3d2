"""Every kind of content is data that the models take, and somewhere among the examples."""

from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter

from gateway_contracts import Content, ContentToSend
from gateway_contracts.content import ARRIVING_KINDS, SENDABLE_KINDS
from gateway_contracts.events.change import ChangeEvent
from gateway_contracts.spec.catalog import EVENTS
from gateway_contracts.spec.examples import load_examples
from tests.support.kinds import CASES, Case, each

TARGET = {
    "message_id": "3EB0AB",
    "chat": "15550100002@s.whatsapp.net",
    "participant": "15550100002@s.whatsapp.net",
    "from_me": False,
}


def whole(case: Case, *names: str) -> dict[str, Any]:
    """Return a content with the message that it is about, if there is one."""
    target = {name: TARGET[name] for name in names or TARGET}
    return case.contract if case.about is None else {**case.contract, "target": target}


@each(*(one for one in CASES if one.is_sent))
def test_what_is_sent_is_a_content_to_send(case: Case) -> None:
    content = TypeAdapter(ContentToSend).validate_python(whole(case, "message_id"))
    assert content.model_dump(mode="json", exclude_none=True).items() >= case.contract.items()


@each(*(one for one in CASES if one.arrives))
def test_what_arrives_is_a_content(case: Case) -> None:
    content = TypeAdapter(Content).validate_python(whole(case))
    assert content.model_dump(mode="json", exclude_none=True).items() >= case.contract.items()


def test_every_kind_is_in_an_example() -> None:
    def kinds(*types: str) -> set[str]:
        examples = [one for name in types for one in load_examples(name)]
        return {one.payload["data"]["content"]["kind"] for one in examples}

    assert kinds("wa.message.send.v1") == set(SENDABLE_KINDS)
    arriving = [type_ for type_, model in EVENTS.items() if "content" in fields_of(model)]
    assert kinds(*arriving) == set(ARRIVING_KINDS)


def fields_of(model: type[BaseModel]) -> set[str]:
    """Return the names of what an event's data has."""
    data = model.model_fields["data"].annotation
    assert isinstance(data, type)
    return set(data.model_fields)


def test_a_change_is_named_after_its_kind() -> None:
    """Each has one kind of content, and no kind has two."""
    kinds = [
        model.model_fields["data"].annotation.model_fields["content"].annotation
        for model in get_args(ChangeEvent)
    ]
    assert len(set(kinds)) == len(kinds)
    assert set(kinds) <= set(ARRIVING_KINDS.values())
