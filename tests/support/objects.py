"""The settings that lead to the object store of this run."""

from gateway_worker.devkit.services import ObjectStore
from gateway_worker.storage.objects import ObjectsSettings


def settings_of(store: ObjectStore, *, prefix: str = "") -> ObjectsSettings:
    """Return the settings of a store; `prefix` stands before every key."""
    return ObjectsSettings.model_validate(
        {
            "endpoint_url": store.endpoint_url,
            "region": store.region,
            "bucket": store.bucket,
            "access_key_id": store.access_key_id,
            "secret_access_key": store.secret_access_key,
            "prefix": prefix,
        }
    )
