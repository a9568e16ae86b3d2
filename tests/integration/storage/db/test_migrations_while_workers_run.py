"""Migrations come before the workers of their release: those of the release before live with them.

So a migration adds, and takes nothing away that an earlier release uses, nor has it anybody wait
for long. What nobody uses any more is taken away in a later release, by a migration that says so:
`contracts = "0.2.0"`, the last release that used it. See UPGRADING.md.
"""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from gateway_worker.storage.db.migrate import configuration

BEFORE_THE_FIRST_RELEASE = "0020"
"""Up to here no release was out whose workers could have been running."""
COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable = 'YES',
        column_default IS NOT NULL OR is_identity = 'YES'
    FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> 'alembic_version'
"""
CONSTRAINTS = """
    SELECT c.relname, pg_get_constraintdef(k.oid) FROM pg_constraint AS k
    JOIN pg_class AS c ON c.oid = k.conrelid WHERE k.contype IN ('c', 'f', 'x')
    UNION SELECT tablename, 'UNIQUE' || regexp_replace(indexdef, '^.* USING', '')
    FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE 'CREATE UNIQUE%'
        AND tablename <> 'alembic_version'
"""
"""What a row has to fulfil, and what ON CONFLICT can name."""
BUILDS_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).* ON (?:ONLY )?(\w+)")
REWRITES_ROWS = re.compile(r"\s*(?:WITH .*)?(?:UPDATE|DELETE FROM) (\w+)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column as far as a statement that does not know it, or does, may mind."""

    kind: str
    may_be_null: bool
    has_default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What an earlier release's statements rely on."""

    columns: dict[tuple[str, str], Column]
    constraints: frozenset[tuple[str, str]]

    @property
    def tables(self) -> set[str]:
        """The names of the tables."""
        return {table for table, _ in self.columns}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One migration: the schema before and after it, and what it has executed."""

    revision: str
    contracts: str | None
    before: Schema
    after: Schema
    statements: Sequence[str]

    def harms(self) -> list[str]:
        """Say what an earlier release's workers would suffer from it."""
        found = list(self._waits())
        if self.contracts is None:
            found += [*self._lost(), *self._narrower(), *self._demands()]
        return found

    def _lost(self) -> Iterator[str]:
        for name in self.before.columns.keys() - self.after.columns.keys():
            yield f"{'.'.join(name)} is gone"

    def _narrower(self) -> Iterator[str]:
        for name, old in self.before.columns.items():
            new = self.after.columns.get(name, old)
            if new.kind != old.kind:
                yield f"{'.'.join(name)} was {old.kind} and is {new.kind}"
            if old.may_be_null and not new.may_be_null:
                yield f"{'.'.join(name)} may not be null any more"
            if old.has_default and not new.has_default:
                yield f"{'.'.join(name)} has no default any more"
        for table, constraint in self.before.constraints ^ self.after.constraints:
            if table in self.before.tables & self.after.tables:
                yield f"{table}: {constraint} has come or gone"

    def _demands(self) -> Iterator[str]:
        for table, name in self.after.columns.keys() - self.before.columns.keys():
            column = self.after.columns[table, name]
            optional = column.may_be_null or column.has_default
            if table in self.before.tables and not optional:
                yield f"{table}.{name} has to be given, which no earlier release does"

    def _waits(self) -> Iterator[str]:
        for statement in self.statements:
            for pattern, what in (
                (BUILDS_INDEX, "an index is built while nobody can write"),
                (REWRITES_ROWS, "all rows are locked at once"),
            ):
                found = pattern.match(statement)
                if found and found[1] in self.before.tables:
                    yield f"{found[1]}: {what}"


@asynccontextmanager
async def _connected(database_url: str) -> AsyncIterator[AsyncConnection]:
    url = database_url.replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


async def _schema(connection: AsyncConnection) -> Schema:
    columns = (await connection.execute(text(COLUMNS))).all()
    constraints = (await connection.execute(text(CONSTRAINTS))).all()
    await connection.rollback()
    return Schema(
        columns={
            (table, name): Column(kind=kind, may_be_null=may_be_null, has_default=has_default)
            for table, name, kind, may_be_null, has_default in columns
        },
        constraints=frozenset((table, constraint) for table, constraint in constraints),
    )


def _apply(connection: Connection, revision: str) -> list[str]:
    """Make one migration; return its statements."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        command.upgrade(configuration(connection), revision)
    finally:
        event.remove(connection, "before_cursor_execute", note)
    return [" ".join(each.split()) for each in statements if "alembic_version" not in each]


async def _steps(connection: AsyncConnection) -> list[Step]:
    """Make all migrations, one at a time."""
    scripts = await connection.run_sync(
        lambda made: ScriptDirectory.from_config(configuration(made))
    )
    steps: list[Step] = []
    before = await _schema(connection)
    for script in reversed(list(scripts.walk_revisions())):
        statements = await connection.run_sync(partial(_apply, revision=script.revision))
        after = await _schema(connection)
        steps.append(
            Step(
                revision=script.revision,
                contracts=getattr(script.module, "contracts", None),
                before=before,
                after=after,
                statements=statements,
            )
        )
        before = after
    return steps


@pytest.fixture
async def steps(blank_database_url: str) -> dict[str, Step]:
    """Return all migrations by their revision."""
    async with _connected(blank_database_url) as connection:
        return {step.revision: step for step in await _steps(connection)}


async def test_workers_of_the_release_before_live_with_every_migration(
    steps: dict[str, Step],
) -> None:
    """From the first release on; and the judgement is one, as the migrations before it show."""
    harms = {revision: step.harms() for revision, step in steps.items()}

    later = {revision: found for revision, found in harms.items() if found}
    assert [revision for revision in later if revision > BEFORE_THE_FIRST_RELEASE] == [], later
    assert harms["0001"] == []
    assert "receipts.chat has to be given, which no earlier release does" in harms["0007"]
    assert "receipts: all rows are locked at once" in harms["0007"]
    assert any(found.startswith("messages: UNIQUE") for found in harms["0007"])
    assert harms["0009"] == [
        f"{table}: an index is built while nobody can write"
        for table in ("commands", "messages", "receipts")
    ]


def test_what_is_taken_away_is_noticed() -> None:
    """A column that goes, or that other values than before are wanted of, unless that is said."""
    column = Column(kind="text", may_be_null=True, has_default=True)
    old = Schema(columns={("t", "a"): column, ("t", "b"): column}, constraints=frozenset())
    narrow = Column(kind="integer", may_be_null=False, has_default=False)
    new = Schema(columns={("t", "a"): narrow}, constraints=frozenset())
    step = Step(revision="1", contracts=None, before=old, after=new, statements=())
    said = Step(revision="1", contracts="0.2.0", before=old, after=new, statements=())

    assert step.harms() == [
        "t.b is gone",
        "t.a was text and is integer",
        "t.a may not be null any more",
        "t.a has no default any more",
    ]
    assert said.harms() == []
