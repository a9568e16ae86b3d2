"""Which function answers which query: by namespace, type and child."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

from gateway_worker.sandbox.server import queries
from gateway_worker.sandbox.server.queries.answers import ANY, Answer, Query

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway_worker.sandbox.wire.node import Node


class QueryTable:
    """All answers, found by what a query says."""

    def __init__(self, answers: Iterable[Answer]) -> None:
        """Take the answers.

        Raises:
            ValueError: two are for the same kind of query.
        """
        self._answers: dict[tuple[str, str, str], Query] = {}
        for answer in answers:
            key = (answer.xmlns, answer.type, answer.child)
            if key in self._answers:
                raise ValueError(f"two answers to the query {key}")
            self._answers[key] = answer.run

    def find(self, query: Node) -> Query | None:
        """Return what answers a query: by the first child that has an answer, else by `ANY`."""
        xmlns, kind = query.get("xmlns"), query.get("type")
        for child in (*(one.tag for one in query.children), ANY):
            found = self._answers.get((xmlns, kind, child))
            if found is not None:
                return found
        return None


@cache
def query_table() -> QueryTable:
    """Return the answers of every module of this package.

    Raises:
        ValueError: two are for the same kind of query.
    """
    return QueryTable(answer for answers in listed().values() for answer in answers)


def listed() -> dict[str, tuple[Answer, ...]]:
    """Return what each request's module lists, by `<folder>.<module>`."""
    found: dict[str, tuple[Answer, ...]] = {}
    for folder in pkgutil.iter_modules(queries.__path__):
        if not folder.ispkg:
            continue
        package = importlib.import_module(f"{queries.__name__}.{folder.name}")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.startswith("_"):  # what several requests share
                continue
            name = f"{folder.name}.{module.name}"
            found[name] = importlib.import_module(f"{queries.__name__}.{name}").ANSWERS
    return found
