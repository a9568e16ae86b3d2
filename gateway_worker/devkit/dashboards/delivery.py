"""The way of a message from the backend's command to the recipient's phone, and where it stops."""

from gateway_worker.devkit.dashboards.board import (
    Board,
    Row,
    Unit,
    figure,
    lines,
    percentiles,
    rate,
    rates,
)

_SENDS = 'gateway_commands_total{type="message.send"}'
_SENT = 'gateway_commands_total{type="message.send",outcome="succeeded"}'

DELIVERY = Board(
    uid="gateway-delivery",
    title="Gateway: delivery",
    about="The way of a message from the command to the recipient's phone, and where it stops.",
    rows=(
        Row(
            "The funnel, last hour",
            (
                figure("Commands ended", f"sum(increase({_SENDS}[1h]))"),
                figure(
                    "Taken by WhatsApp",
                    f"sum(increase({_SENT}[1h]))",
                ),
                figure(
                    "With a receipt",
                    "sum(increase(gateway_delivery_lag_seconds_count[1h]))",
                    about="Of what this run of the workers has sent, a thousand of each session.",
                ),
                figure(
                    "Told undelivered",
                    'sum(increase(gateway_events_total{type="message.failed"}[1h]))',
                ),
            ),
        ),
        Row(
            "Before WhatsApp",
            (
                percentiles("Waiting for their turn", "gateway_command_wait_seconds"),
                percentiles("Held back by pacing", "gateway_pacing_wait_seconds", by="by"),
                rates("Refused by pacing", "gateway_pacing_refused_total", by="by"),
                lines(
                    "Waiting now",
                    Unit.NUMBER,
                    ("sum(gateway_commands_waiting)", "in mailboxes"),
                    ("sum(gateway_commands_held)", "for a former owner's"),
                    ("max(gateway_unassigned_waiting)", "for a worker"),
                ),
            ),
        ),
        Row(
            "At WhatsApp",
            (
                percentiles("A send", 'gateway_command_duration_seconds{type="message.send"}'),
                lines(
                    "Delivery lag",
                    Unit.SECONDS,
                    ("gateway:delivery_lag_seconds:p50", "p50"),
                    ("gateway:delivery_lag_seconds:p95", "p95"),
                    ("gateway:delivery_lag_seconds:p99", "p99"),
                    about="From the end of a send to the first receipt: phones may be off.",
                ),
                lines(
                    "Sends by outcome",
                    Unit.PER_SECOND,
                    (rate(_SENDS, by="outcome"), "{{outcome}}"),
                ),
                lines(
                    "Shares",
                    Unit.SHARE,
                    ("gateway:reachout_refusals:ratio_rate15m", "new chats refused"),
                    ("gateway:retry_receipts:ratio_rate15m", "asked for again"),
                ),
            ),
        ),
        Row(
            "Bulks",
            (
                lines("Open", Unit.NUMBER, ("sum by (state) (gateway_bulks)", "{{state}}")),
                rates("Rows ended", "gateway_bulk_rows_total", by="outcome"),
                lines("Rows left", Unit.NUMBER, ("sum(gateway_bulk_rows_left)", "rows")),
                lines(
                    "Longest standstill",
                    Unit.SECONDS,
                    ("max(gateway_bulk_stalled_seconds)", "without a row's end"),
                ),
            ),
        ),
    ),
)
