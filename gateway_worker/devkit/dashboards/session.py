"""How accounts do with WhatsApp, by worker: figures that name sessions would be too many."""

from gateway_worker.devkit.dashboards.board import (
    Board,
    Row,
    Unit,
    figure,
    lines,
    percentiles,
    rate,
)

_REFUSALS = 'reason=~"temporary_ban|account_banned|client_outdated|connect_refused"'
_OWN = '{instance=~"$worker"}'
_COLD_SHARE = (
    f"sum(gateway_cold_chats_last_hour{_OWN}) / clamp_min(sum(gateway_chats_last_hour{_OWN}), 1)"
)

SESSION = Board(
    uid="gateway-session",
    title="Gateway: sessions",
    about="How accounts do with WhatsApp. Which session it is, session.health says.",
    has_workers=True,
    rows=(
        Row(
            "Now",
            (
                figure("In good health", f'sum(gateway_session_health{{grade="good",{_OWN[1:]})'),
                figure("In poor health", f'sum(gateway_session_health{{grade="poor",{_OWN[1:]})'),
                figure("Banned", f'sum(gateway_sessions{{state="banned",{_OWN[1:]})'),
                figure(
                    "Longest silence",
                    f"max(gateway_silence_seconds{_OWN})",
                    Unit.SECONDS,
                    about="Since a connected session has had a byte; pings come every 30 s.",
                ),
            ),
        ),
        Row(
            "What WhatsApp thinks of them",
            (
                lines(
                    "New chats refused (463)",
                    Unit.PER_SECOND,
                    (
                        rate(f"gateway_reachout_refusals_total{_OWN}", by="instance"),
                        "{{instance}}",
                    ),
                ),
                lines(
                    "Share of cold chats",
                    Unit.SHARE,
                    (
                        _COLD_SHARE,
                        "who have never written",
                    ),
                ),
                lines(
                    "Messages asked for again",
                    Unit.PER_SECOND,
                    (
                        rate(f"gateway_retry_receipts_total{_OWN}", by="instance"),
                        "{{instance}}",
                    ),
                ),
                lines(
                    "Bans and refused logins",
                    Unit.NUMBER,
                    (
                        f"sum by (reason) (gateway_disconnects_total{{{_REFUSALS},{_OWN[1:]})",
                        "{{reason}}",
                    ),
                ),
            ),
        ),
        Row(
            "Connections",
            (
                lines(
                    "Silence",
                    Unit.SECONDS,
                    (f"gateway_silence_seconds{_OWN}", "{{instance}}"),
                ),
                lines(
                    "Given up by the library",
                    Unit.NUMBER,
                    (f"gateway_library_stops_total{_OWN}", "{{instance}}"),
                ),
                lines(
                    "Copies of device stores in trouble",
                    Unit.NUMBER,
                    (f"sum by (kind) (gateway_snapshot_troubles_total{_OWN})", "{{kind}}"),
                ),
                lines(
                    "Ignored as set",
                    Unit.PER_SECOND,
                    (
                        rate(f"gateway_ignored_arrivals_total{_OWN}", by="reason"),
                        "{{reason}}",
                    ),
                ),
            ),
        ),
        Row(
            "Files",
            (
                percentiles("Fetching a file", f"gateway_media_duration_seconds{_OWN}"),
                lines(
                    "Files fetched and failed",
                    Unit.PER_SECOND,
                    (rate(f"gateway_media_files_total{_OWN}"), "fetched"),
                    (f"{rate(f'gateway_media_failures_total{_OWN}')} or vector(0)", "failed"),
                ),
                percentiles(
                    "Files to send", f"gateway_outgoing_file_duration_seconds{_OWN}", by="step"
                ),
                lines(
                    "Files that wait",
                    Unit.NUMBER,
                    (f"gateway_media_waiting{_OWN}", "{{instance}}"),
                ),
            ),
        ),
    ),
)
