"""The whole fleet at a glance: is everybody connected, is there room, does anything fail."""

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

_SENT = 'gateway_commands_total{type="message.send",outcome="succeeded"}'
_FAILED = 'gateway_commands_total{outcome!~"succeeded|repeated"}'

FLEET = Board(
    uid="gateway-fleet",
    title="Gateway: fleet",
    about="Whether all sessions are connected, whether there is room, and what fails.",
    rows=(
        Row(
            "Now",
            (
                figure("Workers", 'count(up{job=~".*gateway-worker.*"} == 1)'),
                figure("Sessions connected", 'sum(gateway_sessions{state="connected"})'),
                figure("Sessions not connected", 'sum(gateway_sessions{state!="connected"})'),
                figure("Room left", "max(gateway_fleet_free_slots)"),
                figure("Commands without a worker", "max(gateway_unassigned_waiting)"),
                figure("Sessions that nobody can run", "max(gateway_fleet_stranded)"),
            ),
        ),
        Row(
            "Sessions",
            (
                lines("By state", Unit.NUMBER, ("sum by (state) (gateway_sessions)", "{{state}}")),
                lines(
                    "By health",
                    Unit.NUMBER,
                    ("sum by (grade) (gateway_session_health)", "{{grade}}"),
                    about="Judged by the last hour of each session; see the event session.health.",
                ),
                rates("Connections ended", "gateway_disconnects_total", by="reason"),
                lines(
                    "Moved to other workers",
                    Unit.PER_SECOND,
                    (
                        rate("gateway_sessions_handed_over_total"),
                        "handed over",
                    ),
                    (
                        rate("gateway_sessions_taken_over_total"),
                        "from dead workers",
                    ),
                ),
            ),
        ),
        Row(
            "Traffic",
            (
                lines(
                    "Messages",
                    Unit.PER_SECOND,
                    (
                        rate(_SENT),
                        "sent",
                    ),
                    (rate("gateway_inbound_messages_total"), "received"),
                ),
                lines(
                    "Commands that failed, by outcome",
                    Unit.PER_SECOND,
                    (rate(_FAILED, by="outcome"), "{{outcome}}"),
                    about="Empty as long as nothing has failed.",
                ),
                percentiles(
                    "How long a send takes",
                    'gateway_command_duration_seconds{type="message.send"}',
                ),
                lines(
                    "Dead letters",
                    Unit.NUMBER,
                    ('max by (queue) (gateway_queue_depth{queue=~".+[.]dead"})', "{{queue}}"),
                ),
            ),
        ),
    ),
)
