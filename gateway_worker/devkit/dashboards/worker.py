"""One worker: what it uses, and what holds it up."""

from gateway_worker.devkit.dashboards.board import (
    CHOSEN,
    Board,
    Row,
    Unit,
    each_worker,
    figure,
    lines,
    percentiles,
    rate,
    rates,
)

WORKER = Board(
    uid="gateway-worker",
    title="Gateway: worker",
    about="What a worker uses, and what holds it up.",
    has_workers=True,
    rows=(
        Row(
            "Now",
            (
                figure("Sessions", f"sum(gateway_sessions{CHOSEN})"),
                figure("It may hold", f"sum(gateway_capacity_sessions{CHOSEN})"),
                figure("Hosts", f"sum(gateway_hosts{CHOSEN})"),
                figure("Uptime", f"min(time() - process_start_time_seconds{CHOSEN})", Unit.SECONDS),
            ),
        ),
        Row(
            "Resources",
            (
                lines(
                    "Memory",
                    Unit.BYTES,
                    (f"gateway_worker_memory_bytes{CHOSEN}", "worker {{instance}}"),
                    (f"gateway_hosts_memory_bytes{CHOSEN}", "hosts {{instance}}"),
                ),
                each_worker(
                    "Processor",
                    Unit.PERCENT,
                    "gateway_cpu_percent",
                    about="Worker, zygote and hosts together; 100 is one core.",
                ),
                percentiles(
                    "How late the event loop is", f"gateway_event_loop_lag_seconds{CHOSEN}"
                ),
                rates("Hosts that ended", f"gateway_host_exits_total{CHOSEN}", by="how"),
            ),
        ),
        Row(
            "Database",
            (
                percentiles("A transaction", f"gateway_commit_duration_seconds{CHOSEN}"),
                lines(
                    "Connections",
                    Unit.NUMBER,
                    (f"gateway_database_connections_used{CHOSEN}", "used {{instance}}"),
                    (f"gateway_database_connections_limit{CHOSEN}", "limit {{instance}}"),
                ),
                each_worker("Leases lost", Unit.NUMBER, "gateway_lease_lapses_total"),
            ),
        ),
        Row(
            "Services",
            (
                lines(
                    "Which answer",
                    Unit.NUMBER,
                    (f"gateway_dependency_up{CHOSEN}", "{{dependency}} {{instance}}"),
                ),
                rates("Connected anew", f"gateway_reconnects_total{CHOSEN}", by="dependency"),
                each_worker(
                    "Copies of device stores: behind",
                    Unit.SECONDS,
                    "gateway_snapshots_behind_seconds",
                ),
                each_worker(
                    "Keys of tokens: not read", Unit.SECONDS, "gateway_token_keys_unread_seconds"
                ),
                lines(
                    "Log lines left out",
                    Unit.PER_SECOND,
                    (
                        rate(f"gateway_log_lines_repeated_total{CHOSEN}"),
                        "said before",
                    ),
                    (
                        rate(f"gateway_log_lines_dropped_total{CHOSEN}", by="sink"),
                        "{{sink}} too slow",
                    ),
                ),
            ),
        ),
    ),
)
