"""The statements that read a page of messages, in either order.

Each page takes a bounded number of rows: what is filtered by direction or kind is looked for among
so many, and the page says where that has ended. So no filter needs an index of its own, which would
cost each message that is stored.
"""

from functools import cache
from typing import Any, Final, NamedTuple

from gateway_worker.history.ports import Place, Wanted

LOOKED_AT: Final = 1_000
"""How many messages are looked at for one page of filtered ones."""
_SIZES: Final = (50, 200)
"""A page is read with the next of these bounds, written out in the statement: of one that is a
parameter the planner, once it keeps a plan, assumes a tenth of the table, and sorts that."""
PAGE_BYTES: Final = 256 * 1024
"""Of contents that are read for a page, which tells less: a stranger's card may have two MiB, and
200 of them have to be in memory neither here nor on the way. Two rows there are always."""
_TEXTS: Final = ("message_id", "chat", "direction", "sender")


def bounded(statement: str) -> str:
    """Return a statement that finds the first rows of another one, as many as a page may have.

    Each row tells in `read` how many bytes the contents have with it.
    """
    return f"""
        SELECT * FROM (
            SELECT one.*, row_number() OVER () AS place, octet_length(content::text) AS size,
                sum(octet_length(content::text)) OVER (ROWS UNBOUNDED PRECEDING) AS read
            FROM ({statement}) AS one
        ) AS sized WHERE read - size <= {PAGE_BYTES} OR place <= 2
    """  # noqa: S608 - constant terms


class _Shape(NamedTuple):
    """What statements differ in that read a page."""

    by_chat: bool
    newest_first: bool
    has_since: bool
    has_until: bool
    is_continued: bool


def is_filtered(wanted: Wanted) -> bool:
    """Whether messages are looked at that may not be wanted."""
    return wanted.direction is not None or bool(wanted.kinds)


def page_of(wanted: Wanted, *, limit: int) -> tuple[str, list[Any]]:
    """Return the statement of a page and its values; it finds more than `limit` if there are."""
    shape, values = _bounds(wanted)
    filters = []
    if wanted.direction is not None:
        values.append(wanted.direction.value)
        filters.append(f"direction = ${len(values)}::text")
    if wanted.kinds:
        values.append(list(wanted.kinds))
        filters.append(f"content ->> 'kind' = ANY(${len(values)}::text[])")
    size = 1 + next(size for size in _SIZES if size >= limit)
    if not filters:
        return bounded(_near(shape, "*", size)), values
    near, those = _near(shape, "*", LOOKED_AT), " AND ".join(filters)
    return bounded(f"SELECT * FROM ({near}) AS near WHERE {those} LIMIT {size}"), values  # noqa: S608


def last_looked_at(wanted: Wanted) -> tuple[str, list[Any]]:
    """Return the statement that finds where the look for a page ends, if there is more."""
    shape, values = _bounds(wanted)
    key = _key(shape)
    near = _near(shape, key, LOOKED_AT)
    return f"SELECT {key} FROM ({near}) AS near OFFSET {LOOKED_AT - 1}", values  # noqa: S608


def _bounds(wanted: Wanted) -> tuple[_Shape, list[Any]]:
    """Return the form of the statement that finds what may be wanted, and its values."""
    shape = _Shape(
        by_chat=wanted.chat is not None,
        newest_first=wanted.newest_first,
        has_since=wanted.since is not None,
        has_until=wanted.until is not None,
        is_continued=wanted.after is not None,
    )
    values = [wanted.session_id, wanted.chat, wanted.since, wanted.until]
    return shape, [value for value in values if value is not None] + list(wanted.after or ())


@cache
def _near(shape: _Shape, columns: str, size: int) -> str:
    """Return the statement that finds the next messages, whatever they are.

    The index gives the order but among equals, which are few and sorted as they come.
    """
    by = _by(shape)
    numbers = iter(range(2, 20))
    where = ["session_id = $1"]
    if shape.by_chat:
        where.append(f"chat = ${next(numbers)}")
    if shape.has_since:
        where.append(f"{by} >= ${next(numbers)}::timestamptz")
    if shape.has_until:
        where.append(f"{by} <= ${next(numbers)}::timestamptz")
    if shape.is_continued:
        first, then, *rest = [next(numbers) for _ in Place._fields]
        op = "<" if shape.newest_first else ">"
        moments = [f"${number}::timestamptz" for number in (first, then)]
        place = ", ".join([*moments, *(f"${number}::text" for number in rest)])
        where += [f"{by} {op}= ${first}", f"({_order(shape)}) {op} ({place})"]
    way = "DESC" if shape.newest_first else "ASC"
    order = _order(shape).replace(",", f" {way},")
    return (
        f"SELECT {columns} FROM messages WHERE {' AND '.join(where)}"  # noqa: S608
        f" ORDER BY {order} {way} LIMIT {size}"
    )


def _by(shape: _Shape) -> str:
    return "timestamp" if shape.by_chat else "stored_at"


def _key(shape: _Shape) -> str:
    return f"{_moments(shape)}, {', '.join(_TEXTS)}"


def _order(shape: _Shape) -> str:
    """Return the key as it is sorted by: texts as Python does, which puts pages together."""
    texts = ", ".join(f'{text} COLLATE "C"' for text in _TEXTS)
    return f"{_moments(shape)}, {texts}"


def _moments(shape: _Shape) -> str:
    return "timestamp, stored_at" if shape.by_chat else "stored_at, timestamp"
