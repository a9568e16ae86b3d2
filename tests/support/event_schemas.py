"""Whether what workers tell fits the schemas that backends check it with."""

import json
from collections.abc import Hashable, Iterable
from functools import cache
from typing import Any, Final

from gateway_worker.devkit.received import ReceivedEvent
from tests.contracts.support import message_validator

_TELLING: Final = frozenset({"kind", "type", "state"})
"""Words that say which fields follow."""

_validator_of = cache(message_validator)


def faults_in(events: Iterable[ReceivedEvent]) -> list[str]:
    """Return what in events does not fit the schema of their type.

    Of those that have the same fields one is looked at: it is quick for many events.
    """
    seen: set[Hashable] = set()
    faults = []
    for arrived in events:
        payload = json.loads(arrived.body)
        if (form := _form_of(payload)) not in seen:
            seen.add(form)
            faults += [
                f"{arrived.routing_key} {fault.json_path}: {fault.message}"
                for fault in _validator_of(payload["type"]).iter_errors(payload)
            ]
    return faults


def _form_of(value: Any, name: str = "") -> Hashable:
    """Return which fields a value has, and of what they are."""
    if isinstance(value, dict):
        return tuple((inner, _form_of(value[inner], inner)) for inner in sorted(value))
    if isinstance(value, list):
        return frozenset(map(_form_of, value))
    return value if name in _TELLING else type(value).__name__
