"""Settings of the cache: what is wrong is said, and the password is not."""

import pytest
from pydantic import ValidationError

from gateway_worker.storage.cache import CacheSettings


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://localhost", "localhost:6379"),
        ("redis://:secret@cache.internal:6380/2", "cache.internal:6380"),
        ("rediss://user:secret@cache.internal/0", "cache.internal:6379"),
        ("unix:///run/redis.sock", "/run/redis.sock"),
    ],
)
def test_the_address_has_no_credentials(url: str, address: str) -> None:
    """It is what messages show."""
    settings = CacheSettings.model_validate({"url": url})
    assert settings.address == address
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        "amqp://:secret@localhost",
        "redis://",
        "redis://:secret@localhost:x",
        "redis://u:12/secret@localhost",
    ],
)
def test_what_is_no_redis_url_is_refused_without_being_shown(url: str) -> None:
    """The message says what is expected."""
    with pytest.raises(ValidationError, match="not a Redis URL") as caught:
        CacheSettings.model_validate({"url": url})
    assert "secret" not in str(caught.value)


def test_the_prefix_is_used_as_it_is() -> None:
    """No separator is added; what cannot stand in a key is refused."""
    assert CacheSettings.model_validate({"url": "redis://localhost"}).prefix == "wa:"
    for bad in ("wa *", "wä:", "wa\n"):
        with pytest.raises(ValidationError, match="prefix"):
            CacheSettings.model_validate({"url": "redis://localhost", "prefix": bad})
