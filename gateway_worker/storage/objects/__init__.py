"""An S3-compatible object store: encrypted copies of device stores, and media.

The only user of aioboto3, which is imported when the store is opened and not before: that takes
about a second, and most commands of the command line never need it.
"""

from gateway_worker.storage.objects.client import Objects
from gateway_worker.storage.objects.crypto import Keyring
from gateway_worker.storage.objects.rotation import Rotation, rotate
from gateway_worker.storage.objects.settings import ObjectsSettings
from gateway_worker.storage.objects.snapshots import (
    DisabledSnapshots,
    ObjectSnapshots,
    Snapshots,
    device_snapshots,
)
from gateway_worker.storage.objects.store import Bucket
from gateway_worker.storage.objects.streams import Streams

__all__ = [
    "Bucket",
    "DisabledSnapshots",
    "Keyring",
    "ObjectSnapshots",
    "Objects",
    "ObjectsSettings",
    "Rotation",
    "Snapshots",
    "Streams",
    "device_snapshots",
    "rotate",
]
