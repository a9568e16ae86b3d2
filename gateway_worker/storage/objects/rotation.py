"""Another key for what is stored already: every copy is opened and sealed again, in its place.

Which copies are left shows in the copies themselves, so a rotation that ended half-way is just run
again. A copy that was pruned or replaced meanwhile is not written over, and the order of the copies
stays as it is because their names do.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog

from gateway_worker.errors import DependencyError
from gateway_worker.storage.objects.crypto import Keyring, UnreadableError, key_id_of
from gateway_worker.storage.objects.snapshots import CONTENT_TYPE, ROOT, is_copy, sealed_for
from gateway_worker.storage.objects.store import Bucket, DamagedObjectError

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """How far a rotation is.

    Attributes:
        total: Copies that were there when it began.
        rotated: Sealed again under the first key.
        current: Under the first key already.
        vanished: Pruned, replaced or deleted meanwhile.
        unreadable: Damaged, or under a key that is not given; left as they are.
    """

    total: int = 0
    rotated: int = 0
    current: int = 0
    vanished: int = 0
    unreadable: int = 0

    @property
    def done(self) -> int:
        """How many copies were looked at."""
        return self.rotated + self.current + self.vanished + self.unreadable


async def rotate(
    bucket: Bucket,
    keyring: Keyring,
    *,
    fleet: str,
    progress: Callable[[Rotation], None] | None = None,
) -> Rotation:
    """Seal every copy of a device store under the first key of the ring.

    Args:
        bucket: Where the copies are.
        keyring: The new key first, then all that copies may be under.
        fleet: Whose copies they are.
        progress: Called after each copy.

    Returns:
        What was done. The old key may be thrown away if `unreadable` is 0.

    Raises:
        DependencyError: The object store is unavailable; what was rotated is, so run it again.
    """
    state = Rotation()
    found = [info.key for info in await bucket.find(ROOT) if is_copy(info.key)]
    state = replace(state, total=len(found))
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(key: str) -> None:
        nonlocal state
        async with slots:
            what = await _rotated(bucket, keyring, fleet, key)
        state = replace(state, **{what: getattr(state, what) + 1})
        if progress is not None:
            progress(state)

    try:
        async with asyncio.TaskGroup() as group:
            for key in found:
                group.create_task(one(key))
    except ExceptionGroup as errors:
        outage = errors.subgroup(DependencyError)
        if outage is None:
            raise
        raise outage.exceptions[0] from None
    log.info("snapshots.rotated", rotated=state.rotated, unreadable=state.unreadable)
    return state


async def _rotated(bucket: Bucket, keyring: Keyring, fleet: str, key: str) -> str:
    """Rotate one copy; returns the name of the count that it belongs to."""
    context = sealed_for(bucket, fleet, key)
    try:
        stored = await bucket.get_tagged(key)
        if stored is None:
            return "vanished"
        if key_id_of(stored.data) == keyring.sealing_id:
            return "current"
        plain = await asyncio.to_thread(keyring.open, stored.data, context=context)
    except (DamagedObjectError, UnreadableError) as error:
        log.warning("snapshot.unusable", key=key, detail=error.detail)
        return "unreadable"
    sealed = await asyncio.to_thread(keyring.seal, plain, context=context)
    replaced = await bucket.put_over(key, sealed, tag=stored.tag, content_type=CONTENT_TYPE)
    return "rotated" if replaced else "vanished"
