"""Names, keys, arguments and rights: checked by value here, on a real broker in test_broker."""

import re
from typing import Any

import pytest

from gateway_contracts import (
    NO_SESSION,
    RETRY_DELAYS,
    BackendTopology,
    QueueSpec,
    Topology,
    backend_events_queue,
    backend_heartbeats_queue,
)
from gateway_contracts.permissions import (
    UserRights,
    backend_rights,
    monitor_rights,
    operator_rights,
    trusted_rights,
    worker_rights,
)
from gateway_contracts.spec.catalog import EVENTS
from gateway_contracts.tenants import RESERVED, tenant_of

WA = Topology()
BACKEND = BackendTopology(service="crm")


@pytest.mark.parametrize(
    ("event_type", "subject", "key"),
    [
        ("wa.session.qr.v1", "s1", "session.qr.s1"),
        ("wa.session.pair_code.v1", "s1", "session.pair_code.s1"),
        ("wa.session.status.v1", "acme-support", "session.status.acme-support"),
        ("wa.message.received.v1", "s1", "message.received.s1"),
        ("wa.message.receipt.v1", "s_1", "message.receipt.s_1"),
        ("wa.command.succeeded.v1", "s1", "command.succeeded.s1"),
        ("wa.worker.heartbeat.v1", "gateway-worker-0", "worker.heartbeat.gateway-worker-0"),
        ("wa.message.received.v2", "s1", "message.received.s1"),
    ],
)
def test_event_keys(event_type: str, subject: str, key: str) -> None:
    assert WA.event_key(event_type, subject) == key


def test_every_event_has_a_key_of_three_words() -> None:
    keys = {WA.event_key(event_type, "s1") for event_type in EVENTS}
    assert len(keys) == len(EVENTS)
    assert all(len(key.split(".")) == 3 for key in keys)


def test_only_heartbeats_go_to_the_heartbeats_exchange() -> None:
    elsewhere = {name for name in EVENTS if WA.event_exchange(name) != "wa.events"}
    assert elsewhere == {"wa.worker.heartbeat.v1"}
    assert WA.event_exchange("wa.worker.heartbeat.v1") == "wa.heartbeats"


def test_a_worker_key_is_no_session_id() -> None:
    assert WA.worker_key("gateway-worker-0") == "worker.gateway-worker-0"
    assert tenant_of(WA.worker_key("w")) in RESERVED, "no tenant is called so: the two never meet"


def test_a_tenants_queue_gets_its_own_events_and_holds_up_no_others() -> None:
    own = BackendTopology(service="acme_crm", tenant="acme", events=("message.*.*", "*.*.support"))
    assert own.patterns == ("message.*.acme.*", "*.*.acme.support")
    assert own.events_queue().arguments["x-overflow"] == "drop-head"
    wrongs: tuple[dict[str, Any], ...] = (
        {"service": "crm"},
        {"events": ("#",)},
        {"refuses_when_full": True},
    )
    for wrong in wrongs:
        named: dict[str, Any] = {"service": "acme", "tenant": "acme", **wrong}
        with pytest.raises(ValueError, match=r"no service|three words|cannot refuse"):
            BackendTopology(**named)


def test_names() -> None:
    assert {exchange.name: exchange.kind for exchange in WA.exchanges()} == {
        "wa.commands": "direct",
        "wa.commands.unrouted": "fanout",
        "wa.internal": "fanout",
        "wa.internal.dead": "fanout",
        "wa.dead": "fanout",
        "wa.retry.1s": "fanout",
        "wa.retry.5s": "fanout",
        "wa.retry.30s": "fanout",
        "wa.retry.300s": "fanout",
        "wa.events": "topic",
        "wa.events.unrouted": "fanout",
        "wa.heartbeats": "topic",
        "wa.replay": "topic",
    }
    assert {queue.name for queue in WA.queues()} == {
        "wa.commands.unassigned",
        "wa.commands.dead",
        "wa.retry.1s",
        "wa.retry.5s",
        "wa.retry.30s",
        "wa.retry.300s",
        "wa.events.unrouted",
    }
    assert WA.worker_queue("gateway-worker-0") == "wa.worker.gateway-worker-0"


def all_names(topology: Topology) -> set[str]:
    """Return what a topology calls its exchanges and queues."""
    exchanges, queues = topology.exchanges(), topology.queues()
    return {exchange.name for exchange in exchanges} | {queue.name for queue in queues}


def test_another_prefix_shares_no_name() -> None:
    other = Topology(prefix="fleet2")
    assert all_names(WA).isdisjoint(all_names(other))
    assert other.event_key("wa.message.received.v1", "s1") == "message.received.s1"


@pytest.mark.parametrize(
    "prefix", ["", "amq.wa", "wa fleet", "wa#", "w" * 33, ".wa", "wa.backend", "x.backend.y"]
)
def test_a_prefix_that_makes_no_names_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        Topology(prefix=prefix)


@pytest.mark.parametrize("service", ["", "crm.eu", "crm*", "a" * 65])
def test_a_service_that_makes_no_names_is_refused(service: str) -> None:
    with pytest.raises(ValueError, match="service"):
        BackendTopology(service=service)


def test_references_go_to_what_is_declared_before() -> None:
    for exchanges, queues, bindings in (
        (WA.exchanges(), WA.queues(), WA.bindings()),
        (
            (*WA.exchanges(), *BACKEND.exchanges()),
            (*WA.queues(), *BACKEND.queues()),
            BACKEND.bindings(),
        ),
    ):
        known: set[str] = set()
        for exchange in exchanges:
            assert exchange.arguments.get("alternate-exchange") in (None, *known)
            known.add(exchange.name)
        for queue in queues:
            assert queue.arguments.get("x-dead-letter-exchange") in (None, *known)
        names = {queue.name for queue in queues}
        for binding in bindings:
            assert binding.exchange in known
            assert binding.queue in names


LASTING = [
    *WA.queues(),
    WA.worker_queue_spec("w"),
    BACKEND.events_queue(),
    BACKEND.dead_queue(),
    BACKEND.replay_queue(),
]


@pytest.mark.parametrize("queue", LASTING, ids=lambda queue: queue.name)
def test_lasting_queues_keep_the_rules(queue: QueueSpec) -> None:
    arguments = queue.arguments
    assert arguments["x-queue-type"] == "quorum"
    assert arguments["x-delivery-limit"] == 20
    assert arguments["x-max-length-bytes"] <= 2**31
    if "x-dead-letter-exchange" in arguments:
        lasts = arguments["x-overflow"] == "reject-publish"
        assert ("x-dead-letter-strategy" in arguments) is lasts, "else it is at most once"
        assert arguments.get("x-dead-letter-strategy", "at-least-once") == "at-least-once"
    assert arguments["x-overflow"] in ("reject-publish", "drop-head")
    assert "x-expires" not in arguments


def test_commands_are_refused_before_they_are_dropped_and_events_hold_nobody_up() -> None:
    dropping = [queue.name for queue in LASTING if queue.arguments["x-overflow"] == "drop-head"]
    assert dropping == [
        "wa.commands.dead",
        "wa.events.unrouted",
        "wa.backend.crm.events",
        "wa.backend.crm.dead",
    ]
    assert BACKEND.events_queue().arguments["x-dead-letter-exchange"] == BACKEND.dead
    holding = BackendTopology(service="crm", refuses_when_full=True)
    assert {
        queue.arguments["x-overflow"] for queue in (holding.events_queue(), holding.dead_queue())
    } == {"reject-publish"}


def test_dead_letters_go_by_age_and_bytes() -> None:
    topology = Topology(dead_letter_days=2, dead_letter_bytes=1000)
    (dead,) = (queue for queue in topology.queues() if queue.name == topology.dead_commands)
    assert dead.arguments["x-message-ttl"] == 172_800_000
    assert dead.arguments["x-max-length-bytes"] == 1000


@pytest.mark.parametrize("days", [0, 50])
def test_a_retention_that_the_broker_does_not_know_is_refused(days: int) -> None:
    with pytest.raises(ValueError, match="1 to 49 days"):
        Topology(dead_letter_days=days)


@pytest.mark.parametrize(
    ("seconds", "name"),
    [(0, "wa.retry.1s"), (1, "wa.retry.1s"), (1.2, "wa.retry.5s"), (30, "wa.retry.30s"),
     (31, "wa.retry.300s"), (9999, "wa.retry.300s")],
)  # fmt: skip
def test_the_retry_tier_waits_long_enough(seconds: float, name: str) -> None:
    assert WA.retry_after(seconds) == name


@pytest.mark.parametrize(
    ("within", "name"),
    [(None, "wa.retry.30s"), (400, "wa.retry.30s"), (30, "wa.retry.30s"), (29.9, "wa.retry.5s"),
     (3, "wa.retry.1s"), (0.2, "wa.retry.1s"), (-5, "wa.retry.1s")],
)  # fmt: skip
def test_the_retry_tier_is_back_before_a_deadline(within: float | None, name: str) -> None:
    assert WA.retry_after(8, within=within) == name


def test_retry_tiers_come_back_as_what_workers_send() -> None:
    queues = {queue.name: queue.arguments for queue in WA.queues()}
    for delay in RETRY_DELAYS:
        arguments = queues[WA.retry(delay)]
        assert arguments["x-message-ttl"] == delay * 1000
        assert arguments["x-dead-letter-exchange"] == "wa.internal"
        assert "x-dead-letter-routing-key" not in arguments, "the command's own key stays"
    with pytest.raises(ValueError, match="no retry tier of 2 s"):
        WA.retry(2)


def test_a_backends_queues() -> None:
    events = backend_events_queue("crm")
    assert events.name == "wa.backend.crm.events"
    assert events.arguments["x-single-active-consumer"] is True
    shared = BackendTopology(service="crm", ordered=False).events_queue()
    assert "x-single-active-consumer" not in shared.arguments
    heartbeats = backend_heartbeats_queue("crm", topology=Topology(prefix="fleet2"))
    assert heartbeats.name == "fleet2.backend.crm.heartbeats"
    assert heartbeats.arguments["x-queue-type"] == "classic"
    assert heartbeats.arguments["x-message-ttl"] == 15_000
    chosen = BackendTopology(service="crm", events=("message.#", "session.status.*"))
    keys = {bound.routing_key for bound in chosen.bindings() if bound.exchange == "wa.events"}
    assert keys == {"message.#", "session.status.*"}


def allowed(rights: UserRights, verb: str) -> set[str]:
    backends = [BackendTopology(service=service) for service in ("crm", "billing")]
    names = all_names(WA)
    names |= {
        spec.name for backend in backends for spec in (*backend.queues(), backend.replay_queue())
    }
    names |= {WA.worker_queue("w-0"), "amq.default", "other", "wax.commands"}
    return {name for name in names if re.search(getattr(rights, verb), name)}


def test_a_worker_touches_no_backends_queue() -> None:
    shared = all_names(WA) | {"wa.worker.w-0"}
    rights = worker_rights(WA)
    assert allowed(rights, "configure") == shared
    assert allowed(rights, "write") == shared
    assert allowed(rights, "read") == shared - {"wa.heartbeats", "wa.replay"}


def test_a_backend_publishes_commands_and_reads_its_queues() -> None:
    own = {f"wa.backend.crm.{name}" for name in ("events", "heartbeats", "dead", "replay")}
    rights = backend_rights(WA, service="crm")
    assert allowed(rights, "configure") == set()
    assert allowed(rights, "write") == {"wa.commands"}
    assert allowed(rights, "read") == own
    for topic in rights.topics:
        assert not re.search(topic.read, "#")
        assert not re.search(topic.write, "message.received.s1")


def test_an_operator_touches_everything_of_the_fleet_and_nothing_else() -> None:
    rights = operator_rights(WA)
    assert allowed(rights, "configure") == allowed(rights, "read") == allowed(rights, "write")
    assert {"wa.backend.crm.events", "wa.internal"} <= allowed(rights, "write")
    assert allowed(rights, "write").isdisjoint({"amq.default", "other", "wax.commands"})


def test_a_trusted_backend_makes_its_queues_itself() -> None:
    own = {f"wa.backend.crm.{name}" for name in ("events", "heartbeats", "dead", "replay")}
    rights = trusted_rights(WA, service="crm")
    assert allowed(rights, "configure") == own
    assert allowed(rights, "write") == own | {"wa.commands"}
    bindable = {"wa.events", "wa.events.unrouted", "wa.heartbeats", "wa.replay"}
    assert allowed(rights, "read") == own | bindable
    any_service = trusted_rights(WA)
    assert allowed(any_service, "configure") == own | {
        name.replace("crm", "billing") for name in own
    }


def test_a_monitor_touches_nothing() -> None:
    rights = monitor_rights()
    assert not any(allowed(rights, verb) for verb in ("configure", "write", "read"))
    assert rights.tags == ("monitoring",)


def test_topic_rights() -> None:
    events, heartbeats, replay = worker_rights(WA, worker_id="gateway-worker-0").topics
    for event_type in EVENTS:
        assert re.search(events.write, WA.event_key(event_type, "acme-support"))
    assert not re.search(events.write, "nonsense")
    assert re.search(heartbeats.write, "worker.heartbeat.gateway-worker-0")
    assert not re.search(heartbeats.write, "worker.heartbeat.gateway-worker-1")
    assert re.search(replay.write, "wa.backend.crm.replay")
    assert not re.search(replay.write, "wa.worker.gateway-worker-1")
    *lasting, own = trusted_rights(WA, service="crm").topics
    for topic in lasting:
        assert re.search(topic.read, "message.#")
        assert not re.search(topic.write, "message.received.s1")
    assert own.exchange == "wa.replay"
    for key in ("wa.backend.crm.replay", "wa.backend.crm.events"):
        assert re.search(own.read, key)
        assert not re.search(own.write, key)
    for key in ("wa.backend.billing.replay", "#", "wa.backend.crm.*", "wa.backend.*.replay"):
        assert not re.search(own.read, key), "another service's replays are not for it"


def test_a_worker_serves_and_rebinds_the_queue_of_one_that_has_died() -> None:
    rights = worker_rights(WA, worker_id="gateway-worker-0")
    dead = WA.worker_queue("gateway-worker-1")
    assert re.search(rights.read, dead), "to consume it"
    assert re.search(rights.write, dead), "to bind and unbind it"
    assert re.search(rights.read, WA.commands), "to bind and unbind to it"


@pytest.mark.parametrize(
    ("queue", "is_one"),
    [
        ("wa.backend.crm", True),
        ("wa.backend.crm.replay", True),
        ("wa.backend.crm.replay.more", False),
        ("wa.backend.", False),
        ("wa.backend.crm.#", False),
        ("wa.backend.crm.replay\n", False),
        ("waxbackend.crm.replay", False),
        ("fleet2.backend.crm.replay", False),
        ("wa.worker.gateway-worker-0", False),
        ("wa.commands.dead", False),
    ],
)
def test_which_queues_are_a_backends(*, queue: str, is_one: bool) -> None:
    assert WA.is_backend_queue(queue) is is_one


def test_a_queue_of_replays_is_bound_by_its_own_name() -> None:
    queue, binding = BACKEND.replay_queue(), BACKEND.replay_binding()
    assert (binding.exchange, binding.queue, binding.routing_key) == (
        "wa.replay",
        queue.name,
        queue.name,
    )
    assert BACKEND.replay_binding("wa.backend.crm.events").routing_key == "wa.backend.crm.events"
    assert WA.is_backend_queue(queue.name)


@pytest.mark.parametrize("worker_id", [None, "gateway-worker-0"])
def test_a_worker_may_answer_what_names_no_session(worker_id: str | None) -> None:
    events = worker_rights(WA, worker_id=worker_id).topics[0]
    for key in (
        f"command.failed.{NO_SESSION}",
        "command.failed.acme-support",
        "command.failed.acme.support",
        f"command.failed.acme.{NO_SESSION}",
    ):
        assert re.fullmatch(events.write, key)
    for key in ("command.failed.", "command.failed._other", "command.failed.a.b.c"):
        assert not re.fullmatch(events.write, key)
