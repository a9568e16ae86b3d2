"""A session's row: which columns it is read from, and how."""

from collections.abc import Mapping
from typing import Any, Final

from gateway_contracts import SessionState
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.sessions.ports import PendingMarker, SessionRow
from gateway_worker.storage.db.documents import (
    read_account,
    read_pairing,
    read_reachout,
    read_settings,
)

COLUMNS: Final = """id, state, desired, pairing, device_name, labels, account, worker_id, epoch,
    first_epoch, created_at, tenant_id, pending, metadata, reachout, settings"""
"""What a query must return to be read by `session_row`."""


def session_row(row: Mapping[Any, Any]) -> SessionRow:
    """Read a row that has the COLUMNS."""
    return SessionRow(
        session_id=row["id"],
        state=SessionState(row["state"]),
        desired=DesiredState(row["desired"]),
        pairing=read_pairing(row["pairing"]),
        device_name=row["device_name"],
        labels=row["labels"],
        metadata=row["metadata"],
        account=read_account(row["account"]),
        worker_id=row["worker_id"],
        epoch=row["epoch"],
        first_epoch=row["first_epoch"],
        created_at=row["created_at"],
        tenant_id=row["tenant_id"],
        reachout=read_reachout(row["reachout"]),
        settings=read_settings(row["settings"]),
        pending=tuple(
            PendingMarker(
                epoch=marker["epoch"],
                queue_of=marker["queue_of"],
                left=marker.get("left", False),
                given=marker.get("given", False),
            )
            for marker in row["pending"]
        ),
    )
