"""What every subsystem is built on."""

from dataclasses import dataclass

from gateway_worker.adapters import Adapters
from gateway_worker.config import Settings
from gateway_worker.counts import Counts
from gateway_worker.storage.db.build import Stores, build_stores


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """What is set, what leads outside, and where things are stored and counted."""

    settings: Settings
    adapters: Adapters
    stores: Stores
    counts: Counts


def lay_foundation(settings: Settings, adapters: Adapters, counts: Counts) -> Foundation:
    """Put together what is open, and the tables that are reached over it."""
    stores = build_stores(
        adapters.database,
        worker_id=settings.worker_id,
        sessions_per_tenant=settings.tenants.max_sessions,
    )
    return Foundation(settings=settings, adapters=adapters, stores=stores, counts=counts)
