"""One worker: what it uses, and what holds it up."""

from gateway_worker.devkit.dashboards.board import (
    Board,
    Row,
    Unit,
    figure,
    lines,
    percentiles,
    rate,
)

_OWN = '{instance=~"$worker"}'

WORKER = Board(
    uid="gateway-worker",
    title="Gateway: worker",
    about="What a worker uses, and what holds it up.",
    has_workers=True,
    rows=(
        Row(
            "Now",
            (
                figure("Sessions", f"sum(gateway_sessions{_OWN})"),
                figure("It may hold", f"sum(gateway_capacity_sessions{_OWN})"),
                figure("Hosts", f"sum(gateway_hosts{_OWN})"),
                figure("Uptime", f"min(time() - process_start_time_seconds{_OWN})", Unit.SECONDS),
            ),
        ),
        Row(
            "Resources",
            (
                lines(
                    "Memory",
                    Unit.BYTES,
                    (f"gateway_worker_memory_bytes{_OWN}", "worker {{instance}}"),
                    (f"gateway_hosts_memory_bytes{_OWN}", "hosts {{instance}}"),
                ),
                lines(
                    "Processor",
                    Unit.PERCENT,
                    (f"gateway_cpu_percent{_OWN}", "{{instance}}"),
                    about="Worker, zygote and hosts together; 100 is one core.",
                ),
                percentiles("How late the event loop is", f"gateway_event_loop_lag_seconds{_OWN}"),
                lines(
                    "Hosts that ended",
                    Unit.PER_SECOND,
                    (
                        rate(f"gateway_host_exits_total{_OWN}", by="how"),
                        "{{how}}",
                    ),
                ),
            ),
        ),
        Row(
            "Database",
            (
                percentiles("A transaction", f"gateway_commit_duration_seconds{_OWN}"),
                lines(
                    "Connections",
                    Unit.NUMBER,
                    (f"gateway_database_connections_used{_OWN}", "used {{instance}}"),
                    (f"gateway_database_connections_limit{_OWN}", "limit {{instance}}"),
                ),
                lines(
                    "Leases lost",
                    Unit.NUMBER,
                    (f"gateway_lease_lapses_total{_OWN}", "{{instance}}"),
                ),
            ),
        ),
        Row(
            "Services",
            (
                lines(
                    "Which answer",
                    Unit.NUMBER,
                    (f"gateway_dependency_up{_OWN}", "{{dependency}} {{instance}}"),
                ),
                lines(
                    "Connected anew",
                    Unit.PER_SECOND,
                    (
                        rate(f"gateway_reconnects_total{_OWN}", by="dependency"),
                        "{{dependency}}",
                    ),
                ),
                lines(
                    "Copies of device stores: behind",
                    Unit.SECONDS,
                    (f"gateway_snapshots_behind_seconds{_OWN}", "{{instance}}"),
                ),
                lines(
                    "Keys of tokens: not read",
                    Unit.SECONDS,
                    (f"gateway_token_keys_unread_seconds{_OWN}", "{{instance}}"),
                ),
                lines(
                    "Log lines left out",
                    Unit.PER_SECOND,
                    (
                        rate(f"gateway_log_lines_repeated_total{_OWN}"),
                        "said before",
                    ),
                    (
                        rate(f"gateway_log_lines_dropped_total{_OWN}", by="sink"),
                        "{{sink}} too slow",
                    ),
                ),
            ),
        ),
    ),
)
