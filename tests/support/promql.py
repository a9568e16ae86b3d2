"""What an expression in PromQL asks for. No parser: enough for rules that promtool has checked."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SERIES = re.compile(r"\b([a-zA-Z_][a-zA-Z0-9_:]*)\s*(\{[^}]*\})?")
_MATCHER = re.compile(r"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_OURS = re.compile(r"(?:gateway[_:]|process_|python_|up$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A figure that is asked for, and the labels by which it is chosen."""

    name: str
    labels: frozenset[str]


def uses(expr: str) -> Iterator[Use]:
    """Yield the figures of workers, and of rules, in an expression."""
    bare = _STRING.sub('""', expr)
    for found in _SERIES.finditer(_GROUPING.sub("", bare)):
        if _OURS.match(found[1]):
            labels = frozenset(_MATCHER.findall(found[2] or ""))
            yield Use(name=found[1], labels=labels)


def grouped_by(expr: str) -> set[str]:
    """Return the labels by which an expression groups."""
    bare = _STRING.sub('""', expr)
    return {label.strip() for found in _GROUPING.findall(bare) for label in found.split(",")}
