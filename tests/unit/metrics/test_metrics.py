"""Metrics: complete from the start, bounded whatever backends send."""

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gateway_contracts import ErrorCode, SessionState
from gateway_worker.metrics import COMMAND_TYPES, EVENT_TYPES, Metrics, make_metrics


def make() -> Metrics:
    """Make a fresh set."""
    return make_metrics(versions={"worker": "1.2.3", "neonize": "0.5.2"})


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Read one figure."""
    return metrics.registry.get_sample_value(name, labels)


def series(metrics: Metrics) -> int:
    """Count the series that a scrape returns."""
    return sum(not line.startswith("#") for line in metrics.render().decode().splitlines())


def test_types_come_from_the_contract() -> None:
    """Every command and event of the contract has a short name for its label."""
    assert {"message.send", "session.create"} <= COMMAND_TYPES
    assert {"message.received", "worker.heartbeat"} <= EVENT_TYPES


def test_everything_is_exposed_at_zero_from_the_start() -> None:
    """A dashboard has its series, and a rate its first value, before anything happens."""
    metrics = make()

    assert value(metrics, "gateway_sessions", state="connected") == 0
    assert value(metrics, "gateway_commands_total", type="message.send", outcome="succeeded") == 0
    assert value(metrics, "gateway_events_total", type="session.qr") == 0
    assert value(metrics, "gateway_reconnects_total", dependency="rabbitmq") == 0
    assert value(metrics, "gateway_build_info", worker="1.2.3", neonize="0.5.2") == 1


def test_the_process_is_exposed_too() -> None:
    """Memory, processor time and open files of the worker come with it."""
    exposed = make().render().decode()

    for name in ("process_resident_memory_bytes", "process_open_fds", "python_gc_"):
        assert name in exposed


def test_two_sets_do_not_share_anything() -> None:
    """Nothing is in a global registry."""
    first, second = make(), make()

    first.host_restarts.inc()

    assert value(second, "gateway_host_restarts_total") == 0


def test_commands_are_counted_by_type_and_outcome() -> None:
    """A command has one outcome and one duration."""
    metrics = make()

    metrics.observe_command("wa.message.send.v1", "succeeded", 0.03)
    metrics.observe_command("wa.message.send.v1", ErrorCode.EXPIRED, 70.0)

    labels = {"type": "message.send"}
    assert value(metrics, "gateway_commands_total", outcome="succeeded", **labels) == 1
    assert value(metrics, "gateway_commands_total", outcome="expired", **labels) == 1
    assert value(metrics, "gateway_command_duration_seconds_count", **labels) == 2
    assert value(metrics, "gateway_command_duration_seconds_bucket", le="75.0", **labels) == 2
    assert value(metrics, "gateway_command_duration_seconds_bucket", le="0.005", **labels) == 0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=50))
def test_what_backends_send_does_not_make_series(unknown: list[tuple[str, str]]) -> None:
    """Unknown types and outcomes share one label."""
    metrics = make()
    metrics.observe_command("", "", 0.0)
    metrics.count_event("")
    before = series(metrics)

    for name, outcome in unknown:
        metrics.observe_command(f"wa.{name}.v1", f"{outcome}!", 0.1)
        metrics.count_event(f"x.{name}")

    assert series(metrics) == before


def test_the_number_of_series_stays_small() -> None:
    """All outcomes of a type of command and how long it takes are fewer than a hundred."""
    metrics = make()
    for kind in COMMAND_TYPES:
        for outcome in ErrorCode:
            metrics.observe_command(f"wa.{kind}.v1", outcome, 0.1)

    families = list(text_string_to_metric_families(metrics.render().decode()))
    assert sum(len(family.samples) for family in families) == series(metrics)
    assert series(metrics) < 100 * len(COMMAND_TYPES)


def test_sessions_that_have_left_a_state_are_not_kept_in_it() -> None:
    """A state without sessions is zero again."""
    metrics = make()
    metrics.set_sessions({SessionState.PAIRING: 2, SessionState.CONNECTED: 5})

    metrics.set_sessions({SessionState.CONNECTED: 6})

    assert value(metrics, "gateway_sessions", state="connected") == 6
    assert value(metrics, "gateway_sessions", state="pairing") == 0


def test_a_queue_that_is_gone_has_no_figure() -> None:
    """The last one would stand there, and its alert, until the worker is started again."""
    metrics = make()
    metrics.set_queue_depths({"wa.backend.crm.dead": 7, "wa.commands.dead": 2})

    metrics.set_queue_depths({"wa.commands.dead": 3})

    assert value(metrics, "gateway_queue_depth", queue="wa.backend.crm.dead") is None
    assert value(metrics, "gateway_queue_depth", queue="wa.commands.dead") == 3


def test_a_counter_follows_a_total() -> None:
    """A total that is kept elsewhere shows at every scrape; one that starts again adds up."""
    metrics = make()
    total = 0
    metrics.follow(metrics.dead_letters, lambda: total)

    seen = []
    for now in (3, 3, 5, 1):
        total = now
        metrics.refresh()
        seen.append(value(metrics, "gateway_dead_letters_total"))

    assert seen == [3, 3, 5, 6]


def test_gauges_are_refreshed_before_a_scrape() -> None:
    """What is cheap to read need not be pushed."""
    metrics = make()
    metrics.on_refresh(lambda: metrics.outbox_depth.set(7))

    metrics.refresh()

    assert "gateway_outbox_depth 7.0" in metrics.render().decode()


def test_host_exits_are_told_apart() -> None:
    """A host that was stopped is no crash."""
    metrics = make()

    metrics.count_host_exit(expected=True)
    metrics.count_host_exit(expected=False)
    metrics.count_host_exit(expected=False)

    assert value(metrics, "gateway_host_exits_total", how="stopped") == 1
    assert value(metrics, "gateway_host_exits_total", how="crashed") == 2


def test_commits_are_measured() -> None:
    """Size and duration of a transaction."""
    metrics = make()

    metrics.observe_commit(3, 0.004)

    assert value(metrics, "gateway_commit_batch_size_sum") == 3
    assert value(metrics, "gateway_commit_duration_seconds_bucket", le="0.005") == 1
