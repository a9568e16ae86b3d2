"""Settings refuse what could not work."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway_worker.broker import BrokerSettings

URL = "amqp://user:secret@broker:5673/vhost"


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://broker"},
        {"url": "amqp:///"},
        {"url": "broker:5672"},
        {"url": "amqp://u:p@a,/vhost"},
        {"url": "amqp://u:p@a:5672,b:none/vhost"},
        {"url": "amqp://u:p#1@a/vhost"},
        {"url": "amqp://u:12/secret@a/vhost"},
        {"prefix": ""},
        {"prefix": "amq.x"},
        {"prefetch": 0},
        {"prefetch": 63},
        {"prefetch": 257},
        {"heartbeat_seconds": 0},
        {"publish_timeout_seconds": 0},
        {"reconnect_initial_seconds": 5, "reconnect_maximum_seconds": 1},
        {"prefetsch": 64},
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    """And the password is in no message."""
    with pytest.raises(ValidationError) as caught:
        BrokerSettings.model_validate({"url": URL} | wrong)
    assert "secret" not in str(caught.value)


def test_the_address_has_no_credentials() -> None:
    """It is what logs and errors show."""
    settings = BrokerSettings.model_validate({"url": URL})

    assert settings.address == "broker:5673/vhost"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(("url", "address"), [("amqp://h", "h:5672/"), ("amqps://h/v", "h:5671/v")])
def test_the_address_names_the_usual_port(url: str, address: str) -> None:
    """The port may be left out."""
    assert BrokerSettings.model_validate({"url": url}).address == address


def test_the_nodes_of_a_cluster_share_all_but_the_host() -> None:
    """A comma in the password is none between hosts."""
    settings = BrokerSettings.model_validate(
        {"url": "amqps://user:s,e@a:5673,[2001:db8::1],c/vhost?cafile=ca.pem"}
    )

    assert settings.urls == (
        "amqps://user:s,e@a:5673/vhost?cafile=ca.pem",
        "amqps://user:s,e@[2001:db8::1]/vhost?cafile=ca.pem",
        "amqps://user:s,e@c/vhost?cafile=ca.pem",
    )
    assert settings.address == "a:5673,2001:db8::1:5671,c:5671/vhost"
    assert settings.vhost == "vhost"
