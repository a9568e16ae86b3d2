"""Where services are looked up, before anything is started."""

import json
import re
from pathlib import Path

import pytest

from gateway_worker.devkit.services import (
    LaunchOptions,
    Mode,
    ObjectStore,
    Services,
    ServicesError,
    Source,
    containers,
)
from gateway_worker.devkit.services.external import given_services, services_at

CHECKOUT = Path(__file__).parents[3]

STORE = ObjectStore(
    endpoint_url="http://127.0.0.1:1",
    access_key_id="k",
    secret_access_key="s",
    region="r",
    bucket="b",
)
ADDRESSES = Services(
    amqp_url="amqp://u:p@h/v", database_url="postgresql://h/d", redis_url="redis://h/0", s3=STORE
)


def test_addresses_survive_json() -> None:
    """What one process writes as JSON another reads as the same value."""
    assert Services.from_json(json.loads(json.dumps(ADDRESSES.to_json()))) == ADDRESSES


def test_addresses_as_environment_are_read_back_as_given() -> None:
    """A child that gets the variables finds every service given."""
    given = given_services(ADDRESSES.environment(), prefix="")

    assert given.missing == []
    assert given.over(services_at(ADDRESSES)).addresses == ADDRESSES


def test_an_empty_variable_counts_as_unset() -> None:
    """`AMQP_URL= ./dev run` starts a broker."""
    assert "rabbitmq" in given_services({"AMQP_URL": ""}, prefix="").missing


def test_tests_do_not_read_the_developers_variables() -> None:
    """Only variables with the tests' prefix count in tests."""
    given = given_services(
        {"AMQP_URL": "amqp://mine/", "WA_TEST_REDIS_URL": "redis://test/"}, prefix="WA_TEST_"
    )

    assert given.missing == ["rabbitmq", "postgres", "s3"]
    assert given.redis is not None
    assert given.redis.url == "redis://test/"
    assert given.redis.source is Source.EXTERNAL


def test_an_object_store_without_keys_is_refused_by_name() -> None:
    """The message lists the variables that are missing."""
    with pytest.raises(ServicesError, match=r"S3_ACCESS_KEY_ID.*S3_SECRET_ACCESS_KEY.*S3_BUCKET"):
        given_services({"S3_ENDPOINT_URL": "http://store"}, prefix="")


@pytest.mark.parametrize("mode", list(Mode))
def test_each_mode_can_be_wished(mode: Mode) -> None:
    """WA_SERVICES takes the names of the modes."""
    assert LaunchOptions(environment={"WA_SERVICES": mode.value}).mode is mode


def test_an_unknown_mode_is_refused_with_the_known_ones() -> None:
    """A misspelt mode does not silently mean `auto`."""
    with pytest.raises(ServicesError, match="'dokcer'; it may be auto, docker or local"):
        _ = LaunchOptions(environment={"WA_SERVICES": "dokcer"}).mode


def test_containers_use_the_images_of_the_compose_file() -> None:
    """The two ways to run services in Docker run the same servers."""
    text = (CHECKOUT / "compose.yaml").read_text()
    in_compose = set(re.findall(r"^\s+image: (\S+)$", text, re.MULTILINE))
    in_code = {
        containers.RABBITMQ_IMAGE,
        containers.POSTGRES_IMAGE,
        containers.REDIS_IMAGE,
        containers.S3_IMAGE,
    }

    others = {image for image in in_compose if image.startswith(("prom/", "grafana/"))}
    assert in_code == in_compose - others - {"gateway-worker:local"}
