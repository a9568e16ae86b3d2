"""The gateway's side of RabbitMQ: what waits, what was refused, what had to be mended."""

from gateway_worker.devkit.dashboards.board import (
    Board,
    Row,
    Unit,
    figure,
    lines,
    percentiles,
    rate,
)

BROKER = Board(
    uid="gateway-broker",
    title="Gateway: broker",
    about="The gateway's side of RabbitMQ; the broker's own figures are its own plugin's.",
    rows=(
        Row(
            "Now",
            (
                figure("Events that wait", "sum(gateway_outbox_depth)"),
                figure("The oldest of them", "max(gateway_outbox_age_seconds)", Unit.SECONDS),
                figure("Workers that it blocks", "sum(gateway_broker_blocked)"),
                figure(
                    "Oldest without a confirm",
                    "max(gateway_broker_unconfirmed_seconds)",
                    Unit.SECONDS,
                ),
            ),
        ),
        Row(
            "Events",
            (
                lines(
                    "Published",
                    Unit.PER_SECOND,
                    (rate("gateway_events_total"), "events"),
                ),
                percentiles("From commit to confirm", "gateway_relay_lag_seconds"),
                lines(
                    "The outbox",
                    Unit.NUMBER,
                    ("sum by (instance) (gateway_outbox_depth)", "{{instance}}"),
                ),
                lines(
                    "Refused or not confirmed",
                    Unit.PER_SECOND,
                    (rate("gateway_returned_publishes_total"), "refused"),
                    (rate("gateway_publish_timeouts_total"), "not confirmed"),
                    (rate("gateway_events_passed_over_total"), "passed over"),
                    (rate("gateway_unpublishable_messages_total"), "unpublishable"),
                ),
            ),
        ),
        Row(
            "Commands",
            (
                lines(
                    "Ended, by type",
                    Unit.PER_SECOND,
                    (f"topk(10, {rate('gateway_commands_total', by='type')})", "{{type}}"),
                ),
                lines(
                    "Delivered again",
                    Unit.PER_SECOND,
                    (rate("gateway_redeliveries_total"), "redelivered"),
                    (
                        rate("gateway_settle_timeouts_total"),
                        "not acknowledged in time",
                    ),
                ),
                lines(
                    "Not as agreed",
                    Unit.PER_SECOND,
                    (rate("gateway_dead_letters_total"), "to the dead letters"),
                    (rate("gateway_commands_misrouted_total"), "misrouted"),
                    (rate("gateway_oversized_messages_total"), "too large"),
                    (rate("gateway_events_ignored_total"), "events as commands"),
                    (rate("gateway_claims_ignored_total"), "false claims"),
                    (rate("gateway_refusals_untold_total"), "refusals untold"),
                ),
                lines(
                    "Queues that others are to empty",
                    Unit.NUMBER,
                    ("max by (queue) (gateway_queue_depth)", "{{queue}}"),
                ),
            ),
        ),
        Row(
            "The connection",
            (
                lines(
                    "Connected anew",
                    Unit.NUMBER,
                    (
                        'sum by (instance) (gateway_reconnects_total{dependency="rabbitmq"})',
                        "{{instance}}",
                    ),
                ),
                lines(
                    "Subscriptions not answered, and consumers found gone",
                    Unit.NUMBER,
                    ("sum by (instance) (gateway_subscriptions_unanswered_total)", "{{instance}}"),
                    (
                        "sum by (instance) (gateway_subscriptions_renewed_total)",
                        "{{instance}}: consumer found gone",
                    ),
                ),
                lines(
                    "Queues and bindings made again",
                    Unit.NUMBER,
                    ("sum by (instance) (gateway_broker_objects_mended_total)", "{{instance}}"),
                ),
                lines(
                    "Large commands in memory",
                    Unit.BYTES,
                    ("sum by (instance) (gateway_unsettled_bytes)", "{{instance}}"),
                ),
            ),
        ),
    ),
)
