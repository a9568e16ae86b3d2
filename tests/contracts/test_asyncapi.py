"""The AsyncAPI document: its structure, its references, and examples that fit their schemas.

References are followed as AsyncAPI's tools do: as files, from where the document lies.
"""

import json
import re
from typing import Any

import pytest
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from gateway_contracts import BackendTopology, Topology
from gateway_contracts.spec.catalog import COMMANDS, EVENTS, MESSAGES
from gateway_contracts.spec.examples import load_examples
from tests.contracts.support import FORMATS, PACKAGE, SchemaValidator, references

FILE = PACKAGE / "asyncapi.json"
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text("utf-8"))


REGISTRY: Registry[Any] = Registry().with_resources(
    (file.as_uri(), DRAFT202012.create_resource(json.loads(file.read_text("utf-8"))))
    for file in (FILE, *PACKAGE.glob("schemas/*.json"), *PACKAGE.glob("examples/*.json"))
)
BINDING_FIELDS = {
    "channel": {"is", "exchange", "queue", "bindingVersion"},
    "exchange": {"name", "type", "durable", "autoDelete", "vhost"},
    "queue": {"name", "durable", "exclusive", "autoDelete", "vhost"},
    "operation": {"expiration", "deliveryMode", "mandatory", "timestamp", "ack", "bindingVersion"},
    "message": {"messageType", "contentEncoding", "bindingVersion"},
}


def look_up(reference: str) -> Any:
    return REGISTRY.resolver(FILE.as_uri()).lookup(reference).contents


def test_is_asyncapi_3() -> None:
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert set(DOCUMENT) == {
        "asyncapi", "id", "info", "defaultContentType", "servers", "channels", "operations",
        "components",
    }  # fmt: skip
    assert DOCUMENT["info"]["title"]
    assert DOCUMENT["info"]["version"]
    assert DOCUMENT["servers"]["broker"]["protocol"] == "amqp"


def test_every_reference_leads_somewhere() -> None:
    found = references(DOCUMENT)
    assert len(found) > 2 * len(MESSAGES)
    for reference in found:
        assert look_up(reference), reference


def test_every_message_is_described_once() -> None:
    messages = DOCUMENT["components"]["messages"]
    assert sorted(message["name"] for message in messages.values()) == sorted(MESSAGES)
    for message in messages.values():
        assert message["summary"]
        assert message["contentType"] == "application/cloudevents+json"
        assert message["bindings"]["amqp"]["messageType"] == message["name"]


def test_payloads_and_examples_are_the_files_beside_it() -> None:
    for message in DOCUMENT["components"]["messages"].values():
        assert message["payload"] == {"$ref": f"schemas/{message['name']}.json"}
        assert message["examples"] == [
            {"name": example.name, "payload": {"$ref": f"examples/{example.name}.json"}}
            for example in load_examples(message["name"])
        ]


@pytest.mark.parametrize("key", list(DOCUMENT["components"]["messages"]))
def test_examples_fit_their_payload_schema(key: str) -> None:
    message = DOCUMENT["components"]["messages"][key]
    schema = f"{FILE.parent.as_uri()}/{message['payload']['$ref']}"
    validates = SchemaValidator({"$ref": schema}, registry=REGISTRY, format_checker=FORMATS)
    assert message["examples"]
    for example in message["examples"]:
        payload = look_up(example["payload"]["$ref"])
        assert [fault.message for fault in validates.iter_errors(payload)] == []
        assert not validates.is_valid({**payload, "specversion": "0.3"})
        location = message["correlationId"]["location"].removeprefix("$message.payload#/")
        assert not validates.is_valid({**payload, location: 1})


def test_channels_have_the_parameters_of_their_addresses() -> None:
    for channel in DOCUMENT["channels"].values():
        named = set(re.findall(r"\{(\w+)\}", channel["address"]))
        assert named == set(channel.get("parameters", {}))


def test_channels_carry_names_and_arguments_of_the_topology() -> None:
    topology = Topology()
    backend = BackendTopology(service="service")
    exchanges = {
        exchange.name: exchange for exchange in (*topology.exchanges(), *backend.exchanges())
    }
    queues = {
        queue.name: queue.arguments
        for queue in (
            *topology.queues(),
            topology.worker_queue_spec("{workerId}"),
            *backend.queues(),
        )
    }
    for channel in DOCUMENT["channels"].values():
        binding = channel["bindings"]["amqp"]
        arguments = json.loads(
            json.dumps(channel["x-amqp-arguments"]).replace("{service}", "service")
        )
        if binding["is"] == "routingKey":
            exchange = exchanges[binding["exchange"]["name"].replace("{service}", "service")]
            assert (binding["exchange"]["type"], arguments) == (exchange.kind, exchange.arguments)
        else:
            assert binding["queue"]["name"] == channel["address"]
            assert arguments == queues[channel["address"].replace("{service}", "service")]


def test_bindings_use_only_what_version_0_3_0_knows() -> None:
    bindings = {
        "channel": [channel["bindings"]["amqp"] for channel in DOCUMENT["channels"].values()],
        "operation": [one["bindings"]["amqp"] for one in DOCUMENT["operations"].values()],
        "message": [
            message["bindings"]["amqp"] for message in DOCUMENT["components"]["messages"].values()
        ],
    }
    for place, found in bindings.items():
        for binding in found:
            assert set(binding) <= BINDING_FIELDS[place]
            assert binding["bindingVersion"] == "0.3.0"
            for part in ("exchange", "queue"):
                assert set(binding.get(part, ())) <= BINDING_FIELDS[part]


def test_operations_use_messages_of_their_own_channels() -> None:
    for operation in DOCUMENT["operations"].values():
        parts = [operation, *([operation["reply"]] if "reply" in operation else [])]
        for part in parts:
            channel = part["channel"]["$ref"]
            assert channel.startswith("#/channels/")
            for message in part["messages"]:
                assert message["$ref"].startswith(f"{channel}/messages/")


def names(operation: dict[str, Any]) -> list[str]:
    return [look_up(look_up(message["$ref"])["$ref"])["name"] for message in operation["messages"]]


def test_the_gateway_receives_commands_and_answers_each() -> None:
    receiving = [one for one in DOCUMENT["operations"].values() if one["action"] == "receive"]
    assert [names(operation) for operation in receiving] == [[name] for name in COMMANDS]
    for operation in receiving:
        assert names(operation["reply"]) == ["wa.command.succeeded.v1", "wa.command.failed.v1"]


def test_the_gateway_sends_every_event() -> None:
    sending = [one for one in DOCUMENT["operations"].values() if one["action"] == "send"]
    assert sorted(name for one in sending for name in names(one)) == sorted(EVENTS)


def test_event_channels_are_the_routing_keys() -> None:
    topology = Topology()
    for operation in DOCUMENT["operations"].values():
        if operation["action"] == "send":
            channel = look_up(operation["channel"]["$ref"])
            pattern = re.sub(
                r"\{\w+\}",
                "[A-Za-z0-9_-]+",
                re.escape(channel["address"]).replace(r"\{", "{").replace(r"\}", "}"),
            )
            for name in names(operation):
                assert re.fullmatch(pattern, topology.event_key(name, "acme-support"))
                assert channel["bindings"]["amqp"]["exchange"]["name"] == (
                    topology.event_exchange(name)
                )
