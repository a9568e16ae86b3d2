"""Objects on the real store, below a prefix of the test's own."""

from collections.abc import AsyncIterator

import pytest

from gateway_worker.devkit.services import ObjectStore
from gateway_worker.storage.objects import Bucket, Objects, ObjectsSettings
from tests.support.copies import MemoryRegister
from tests.support.objects import settings_of


@pytest.fixture
def settings(s3: ObjectStore, s3_prefix: str) -> ObjectsSettings:
    """Return settings for the store of this run."""
    return settings_of(s3, prefix=s3_prefix)


@pytest.fixture
async def objects(settings: ObjectsSettings) -> AsyncIterator[Objects]:
    """Return an open client."""
    async with Objects.open(settings) as objects:
        yield objects


@pytest.fixture
def register() -> MemoryRegister:
    """Return what the workers of this test have noted of their copies."""
    return MemoryRegister()


@pytest.fixture
def bucket(objects: Objects) -> Bucket:
    """Return the place for this test's objects."""
    return Bucket(objects=objects)
