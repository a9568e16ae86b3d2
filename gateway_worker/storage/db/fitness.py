"""What the database has to be for a worker, asked for in one look: at the start, and by `/ready`.

A state that passes (a standby, a primary that only reads) is told from one that somebody has to
mend (an encoding, rights, tables), which keeps a worker from starting.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway_worker.errors import DatabaseUnavailableError
from gateway_worker.storage.db.schema import metadata

_RIGHTS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")

LOOK: Final = """
    WITH columns AS (SELECT * FROM unnest($1::text[], $2::text[]) AS u(of_table, name)),
    tables AS (
        SELECT DISTINCT of_table AS name, to_regclass(of_table) AS oid FROM columns
    )
    SELECT current_setting('server_encoding') AS encoding,
        current_setting('transaction_read_only') = 'on' AS reads_only,
        pg_is_in_recovery() AS is_standby,
        current_user AS role, current_database() AS database,
        CAST(extract(epoch FROM clock_timestamp()) AS float8) AS clock,
        ARRAY(SELECT name FROM tables WHERE oid IS NULL ORDER BY name) AS no_tables,
        ARRAY(
            SELECT c.of_table || '.' || c.name FROM columns AS c
            JOIN tables AS t ON t.name = c.of_table
            WHERE t.oid IS NOT NULL AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_attribute AS a
                WHERE a.attrelid = t.oid AND a.attname = c.name AND NOT a.attisdropped)
            ORDER BY 1) AS no_columns,
        ARRAY(
            SELECT r.name || ' on ' || t.name FROM tables AS t, unnest($3::text[]) AS r(name)
            WHERE t.oid IS NOT NULL AND NOT has_table_privilege(t.oid, r.name)
            ORDER BY t.name, r.name) AS no_rights
"""
"""$1, $2 tables and columns of this release; $3 rights. Returns what is the matter, as one row."""


class UnfitDatabaseError(DatabaseUnavailableError):
    """The database answers, but is not what the worker needs; the text says what to do.

    Attributes:
        passes: Whether that may change without anybody mending it.
    """

    def __init__(self, detail: str, *, passes: bool) -> None:
        super().__init__(detail)
        self.passes = passes


def what_to_look_for() -> tuple[list[str], list[str], list[str]]:
    """Return the parameters of LOOK."""
    pairs = [(table.name, column.name) for table in metadata.sorted_tables for column in table.c]
    return [table for table, _ in pairs], [name for _, name in pairs], list(_RIGHTS)


def judge(found: Mapping[str, Any]) -> None:
    """Check what LOOK has found.

    Raises:
        UnfitDatabaseError: The database cannot be used as it is; every reason is named at once.
    """
    if lasting := list(_lasting(found)):
        raise UnfitDatabaseError("; ".join(lasting), passes=False)
    if found["is_standby"]:
        raise UnfitDatabaseError(
            "the server is a standby, which only reads: wait for its promotion, or name the primary"
            " (several hosts and target_session_attrs=primary in the URL find it)",
            passes=True,
        )
    if found["reads_only"]:
        raise UnfitDatabaseError(
            "the database only reads (default_transaction_read_only is on): set it to off for the"
            f" database {found['database']} and the user {found['role']}",
            passes=True,
        )


def _lasting(found: Mapping[str, Any]) -> Iterator[str]:
    if found["encoding"] != "UTF8":
        yield (
            f"the database's encoding is {found['encoding']}, and messages need UTF8:"
            " CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )
    if found["no_tables"]:
        yield (
            f"no table {', '.join(found['no_tables'])} is to be seen: run `gateway-worker migrate`,"
            f" and see that the user {found['role']} has USAGE on their schema and finds it in its"
            " search_path"
        )
    if found["no_columns"]:
        yield (
            f"the schema lacks {', '.join(found['no_columns'])}: run `gateway-worker migrate`, or"
            " restore what was taken away"
        )
    if found["no_rights"]:
        yield (
            f"the user {found['role']} has no right to {', '.join(found['no_rights'])}: GRANT"
            " SELECT, INSERT, UPDATE, DELETE on all tables to it"
        )
