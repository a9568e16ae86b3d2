"""How accounts do with WhatsApp, by worker: figures that name sessions would be too many."""

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

_REFUSALS = 'reason=~"temporary_ban|account_banned|client_outdated|connect_refused"'
_COLD_SHARE = (
    f"sum(gateway_cold_chats_last_hour{CHOSEN})"
    f" / clamp_min(sum(gateway_chats_last_hour{CHOSEN}), 1)"
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
                figure("In good health", f'sum(gateway_session_health{{grade="good",{CHOSEN[1:]})'),
                figure("In poor health", f'sum(gateway_session_health{{grade="poor",{CHOSEN[1:]})'),
                figure("Banned", f'sum(gateway_sessions{{state="banned",{CHOSEN[1:]})'),
                figure(
                    "Longest silence",
                    f"max(gateway_silence_seconds{CHOSEN})",
                    Unit.SECONDS,
                    about="Since a connected session has had a byte; pings come every 30 s.",
                ),
            ),
        ),
        Row(
            "What WhatsApp thinks of them",
            (
                rates(
                    "New chats refused (463)",
                    f"gateway_reachout_refusals_total{CHOSEN}",
                    by="instance",
                ),
                lines(
                    "Share of cold chats",
                    Unit.SHARE,
                    (
                        _COLD_SHARE,
                        "who have never written",
                    ),
                ),
                rates(
                    "Messages asked for again",
                    f"gateway_retry_receipts_total{CHOSEN}",
                    by="instance",
                ),
                lines(
                    "Bans and refused logins",
                    Unit.NUMBER,
                    (
                        f"sum by (reason) (gateway_disconnects_total{{{_REFUSALS},{CHOSEN[1:]})",
                        "{{reason}}",
                    ),
                ),
            ),
        ),
        Row(
            "Connections",
            (
                each_worker("Silence", Unit.SECONDS, "gateway_silence_seconds"),
                each_worker("Given up by the library", Unit.NUMBER, "gateway_library_stops_total"),
                lines(
                    "Copies of device stores in trouble",
                    Unit.NUMBER,
                    (f"sum by (kind) (gateway_snapshot_troubles_total{CHOSEN})", "{{kind}}"),
                ),
                rates("Ignored as set", f"gateway_ignored_arrivals_total{CHOSEN}", by="reason"),
            ),
        ),
        Row(
            "Files",
            (
                percentiles("Fetching a file", f"gateway_media_duration_seconds{CHOSEN}"),
                lines(
                    "Files fetched and failed",
                    Unit.PER_SECOND,
                    (rate(f"gateway_media_files_total{CHOSEN}"), "fetched"),
                    (f"{rate(f'gateway_media_failures_total{CHOSEN}')} or vector(0)", "failed"),
                ),
                percentiles(
                    "Files to send", f"gateway_outgoing_file_duration_seconds{CHOSEN}", by="step"
                ),
                each_worker("Files that wait", Unit.NUMBER, "gateway_media_waiting"),
            ),
        ),
    ),
)
