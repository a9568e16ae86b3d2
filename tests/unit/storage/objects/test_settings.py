"""Settings of the object store: what is wrong is said, and no secret is."""

import base64

import pytest
from pydantic import ValidationError

from gateway_worker.storage.objects import ObjectsSettings

KEY = base64.b64encode(b"k" * 32).decode()


def made(**values: object) -> ObjectsSettings:
    """Return settings with a bucket."""
    return ObjectsSettings.model_validate({"bucket": "gateway", **values})


def test_the_defaults_are_for_aws() -> None:
    """Credentials of the surroundings, no bucket made, no copies of device stores."""
    settings = made()
    assert settings.address == "AWS/gateway"
    assert not settings.may_create_bucket
    assert settings.keyring() is None


def test_a_store_of_ones_own_may_lack_its_bucket() -> None:
    """Unless it is said otherwise."""
    url = "http://localhost:8333"
    assert made(endpoint_url=url).may_create_bucket
    assert not made(endpoint_url=url, create_bucket=False).may_create_bucket
    assert made(create_bucket=True).may_create_bucket
    assert made(endpoint_url=url).address == "localhost:8333/gateway"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"endpoint_url": "localhost:8333"}, "not a URL of an object store"),
        ({"endpoint_url": "ftp://localhost"}, "not a URL of an object store"),
        ({"endpoint_url": "http://user:secret@localhost"}, "not a URL of an object store"),
        ({"public_endpoint_url": "https://"}, "not a URL of an object store"),
        ({"bucket": "B"}, "bucket"),
        ({"prefix": "/a"}, "prefix"),
        ({"access_key_id": "id"}, "go together"),
        ({"secret_access_key": "secret"}, "go together"),
        ({"snapshot_keys": f"k1:{KEY}x"}, "'k1' is not base64"),
        ({"snapshot_keys": KEY}, "entry 1 is not of the form id:base64"),
        ({"snapshot_keys": ""}, "entry 1 is not of the form id:base64"),
        ({"snapshot_keys": "k1:c2hvcnQ="}, "'k1' has 5 bytes instead of 32"),
    ],
)
def test_wrong_values_are_refused_without_being_shown(values: dict[str, str], message: str) -> None:
    """Pydantic's habit of quoting the input is off."""
    with pytest.raises(ValidationError, match=message) as caught:
        made(**values)
    for secret in ("secret@", KEY[:8], "c2hvcnQ", "input_value"):
        assert secret not in str(caught.value)


def test_no_representation_shows_a_secret() -> None:
    """Neither the credentials nor the keys."""
    settings = made(access_key_id="id", secret_access_key="secret", snapshot_keys=f"k1:{KEY}")
    assert "'secret'" not in repr(settings)
    assert KEY not in repr(settings)
    assert repr(settings.keyring()) == "Keyring(k1)"
