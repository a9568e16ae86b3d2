"""The verdict as a table for people and as JSON for programs."""

from collections.abc import Iterator, Sequence
from typing import Any

from gateway_worker.devkit.chaos.audit import Breach, Offence, Verdict
from gateway_worker.devkit.chaos.options import Options

SHOWN_OFFENDERS = 40

_Row = tuple[str, object]


def as_json(verdict: Verdict, options: Options) -> dict[str, Any]:
    """Return the result as plain values."""
    return {
        "passed": verdict.passed,
        "seed": options.plan.seed,
        "minutes": options.plan.seconds / 60,
        "workers": options.plan.workers,
        "sessions": options.plan.sessions,
        "lease_seconds": options.plan.lease_seconds,
        "topology": options.plan.topology.value,
        "faults": sum(verdict.injections.values()),
        "faults_by_kind": dict(sorted(verdict.injections.items())),
        "host_kills": verdict.host_kills,
        "commands": _commands(verdict),
        "inbound": _inbound(verdict),
        "files": _files(verdict),
        "groups": _groups(verdict),
        "order_violations": verdict.count(Breach.OUT_OF_ORDER),
        "event_gaps": verdict.count(Breach.EVENT_GAP),
        "forged": verdict.count(Breach.FORGED),
        "new_qr_needed": verdict.count(Breach.NEW_QR),
        "not_connected": verdict.count(Breach.NOT_CONNECTED),
        "takeover_seconds": {
            "p50": verdict.takeover.percentile(0.5),
            "max": verdict.takeover.maximum,
            "count": len(verdict.takeover.seconds),
        },
        "handover_seconds": {
            "p50": verdict.handover.percentile(0.5),
            "p99": verdict.handover.percentile(0.99),
            "count": len(verdict.handover.seconds),
        },
        "recovery_seconds": _recovery_seconds(verdict),
        "offenders": [_offender(one) for one in verdict.offences],
        "late": [_offender(one) for one in verdict.late],
        "lost_in_window": [_offender(one) for one in verdict.inbound.lost_in_window],
    }


def _commands(verdict: Verdict) -> dict[str, Any]:
    commands = verdict.commands
    return {
        "issued": commands.published,
        "succeeded": commands.succeeded,
        "failed": dict(commands.failed),
        "contents": dict(sorted(commands.contents.items())),
        "lost": verdict.count(Breach.COMMAND_LOST),
        "doubled": verdict.count(Breach.COMMAND_DOUBLED),
        "contradicted": verdict.count(Breach.COMMAND_CONTRADICTED),
        "reused_keys": verdict.reused_keys,
        "ids_not_refused": verdict.count(Breach.ID_NOT_REFUSED),
        "uncertain": commands.uncertain,
        "uncertain_explained": dict(commands.explained),
        "uncertain_exposed": {kind: verdict.exposed.get(kind, 0) for kind in commands.explained},
        "uncertain_identified": commands.identified,
        "uncertain_arrived": commands.arrived,
        "uncertain_resolved": commands.resolved,
        "uncertain_while_whatsapp_was_silent": commands.unanswered,
        "uncertain_while_the_database_was_slow": commands.held_up,
        "uncertain_unexplained": verdict.count(Breach.UNCERTAIN_UNEXPLAINED),
    }


def _inbound(verdict: Verdict) -> dict[str, Any]:
    inbound = verdict.inbound
    return {
        "sent": inbound.sent,
        "posted_in_channels": inbound.posted,
        "delivered": inbound.delivered,
        "lost": inbound.lost,
        "lost_outside_window": verdict.count(Breach.MESSAGE_LOST),
        "doubled": verdict.count(Breach.MESSAGE_DOUBLED),
        "late": len(verdict.late),
        "announced_unreadable": inbound.unreadable,
    }


def _files(verdict: Verdict) -> dict[str, Any]:
    return {
        "arrived": verdict.files.arrived,
        "ready": verdict.files.ready,
        "failed": dict(verdict.files.failed),
        "lost": verdict.count(Breach.FILE_LOST),
        "damaged": verdict.count(Breach.FILE_DAMAGED),
        "doubled": verdict.count(Breach.FILE_DOUBLED),
    }


def _groups(verdict: Verdict) -> dict[str, Any]:
    return {
        "sent": verdict.commands.shared,
        "receipts_due": verdict.receipts.due,
        "receipts_told": verdict.receipts.told,
        "receipts_lost": verdict.count(Breach.RECEIPT_LOST),
        "changes": verdict.members.changed,
        "changes_told": verdict.members.told,
        "changes_lost_in_window": verdict.members.lost_in_window,
        "changes_lost": verdict.count(Breach.MEMBERS_LOST),
        "changes_doubled": verdict.count(Breach.MEMBERS_DOUBLED),
    }


def _recovery_seconds(verdict: Verdict) -> dict[str, Any]:
    return {
        kind: {
            "count": len(recovery.pauses.seconds),
            "pause_p50": recovery.pauses.percentile(0.5),
            "pause_max": recovery.pauses.maximum,
            "slowest_p50": recovery.waits.percentile(0.5),
            "slowest_max": recovery.waits.maximum,
        }
        for kind, recovery in sorted(verdict.recoveries.items())
    }


def table(result: dict[str, Any]) -> Iterator[str]:
    """Write the result for people, a line each."""
    rows = (
        ("faults; hosts killed by them", f"{result['faults']}; {result['host_kills']}"),
        *_command_rows(result["commands"]),
        *_inbound_rows(result["inbound"]),
        *_file_rows(result["files"]),
        *_group_rows(result["groups"]),
        *_session_rows(result),
    )
    yield "─" * 70
    for name, value in rows:
        yield f"{name:<38} {value}"
    yield "─" * 70
    yield from _recoveries(result["recovery_seconds"])
    yield f"sent: {_counts(result['commands']['contents'])}"
    yield f"faults: {_counts(result['faults_by_kind'])}"
    yield from _offenders(result["offenders"])
    yield "passed" if result["passed"] else f"FAILED: {len(result['offenders'])} offences"


def _command_rows(commands: dict[str, Any]) -> Sequence[_Row]:
    return (
        ("commands issued / succeeded", f"{commands['issued']} / {commands['succeeded']}"),
        ("  failed for certain", _counts(commands["failed"])),
        ("  lost", commands["lost"]),
        ("  doubled", commands["doubled"]),
        ("  failed, but took effect", commands["contradicted"]),
        ("  id used twice and not refused", commands["ids_not_refused"]),
        ("  asked for again: key used before", commands["reused_keys"]),
        ("  uncertain", f"{commands['uncertain']} {_shares(commands)}".rstrip()),
        (
            "    id known / arrived / resolved",
            " / ".join(
                str(commands[f"uncertain_{what}"]) for what in ("identified", "arrived", "resolved")
            ),
        ),
        ("    of those while WhatsApp was silent", commands["uncertain_while_whatsapp_was_silent"]),
        ("    ... the database was slow", commands["uncertain_while_the_database_was_slow"]),
        ("  uncertain without a cause", commands["uncertain_unexplained"]),
    )


def _inbound_rows(inbound: dict[str, Any]) -> Sequence[_Row]:
    return (
        ("messages sent / delivered", f"{inbound['sent']} / {inbound['delivered']}"),
        ("  of those posted in channels", inbound["posted_in_channels"]),
        (
            "  lost; of those outside the window",
            f"{inbound['lost']}; {inbound['lost_outside_window']}",
        ),
        ("  doubled", inbound["doubled"]),
        ("  late, from a dead worker's disk", inbound["late"]),
        ("  announced as unreadable", inbound["announced_unreadable"]),
    )


def _file_rows(files: dict[str, Any]) -> Sequence[_Row]:
    return (
        ("files that came / are stored", f"{files['arrived']} / {files['ready']}"),
        ("  told to be unavailable", _counts(files["failed"])),
        (
            "  lost; damaged; told of twice",
            f"{files['lost']}; {files['damaged']}; {files['doubled']}",
        ),
    )


def _group_rows(groups: dict[str, Any]) -> Sequence[_Row]:
    return (
        (
            "sent to groups; receipts due / told",
            f"{groups['sent']}; {groups['receipts_due']} / {groups['receipts_told']}",
        ),
        ("  receipts lost without a cause", groups["receipts_lost"]),
        ("members came or went / told", f"{groups['changes']} / {groups['changes_told']}"),
        (
            "  lost outside the window; doubled",
            f"{groups['changes_lost']}; {groups['changes_doubled']}",
        ),
    )


def _session_rows(result: dict[str, Any]) -> Sequence[_Row]:
    takeover, handover = result["takeover_seconds"], result["handover_seconds"]
    return (
        ("order violations", result["order_violations"]),
        ("gaps in the events", result["event_gaps"]),
        ("forged by a backend, and told", result["forged"]),
        ("sessions that need a new QR code", result["new_qr_needed"]),
        ("sessions not connected at the end", result["not_connected"]),
        (
            f"takeover, p50 / max of {takeover['count']}",
            f"{_seconds(takeover['p50'])} / {_seconds(takeover['max'])}",
        ),
        (
            f"handover, p50 / p99 of {handover['count']}",
            f"{_seconds(handover['p50'])} / {_seconds(handover['p99'])}",
        ),
    )


def _recoveries(recoveries: dict[str, dict[str, Any]]) -> Iterator[str]:
    if recoveries:
        yield f"{'p50 / max, in seconds':<24} {'nothing succeeded':>20} {'slowest command':>20}"
    for kind, one in recoveries.items():
        spreads = (
            f"{one[f'{what}_p50']:.1f} / {one[f'{what}_max']:.1f}" for what in ("pause", "slowest")
        )
        yield f"{kind} ({one['count']})".ljust(24) + "".join(f" {spread:>20}" for spread in spreads)
    if recoveries:
        yield "─" * 70


def _offenders(offenders: Sequence[dict[str, str]]) -> Iterator[str]:
    for one in offenders[:SHOWN_OFFENDERS]:
        yield f"  {one['breach']}: {one['session']} {one['id']}: {one['detail']}"
    if len(offenders) > SHOWN_OFFENDERS:
        yield f"  … and {len(offenders) - SHOWN_OFFENDERS} more (--json has them all)"


def _offender(one: Offence) -> dict[str, str]:
    return {
        "breach": one.breach.value,
        "session": one.session_id,
        "id": one.identity,
        "detail": one.detail,
    }


def _counts(counts: dict[str, int], none: str = "0") -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or none


def _shares(commands: dict[str, Any]) -> str:
    """Write how many are uncertain for each cause, of how many times that has hit a session."""
    exposed = commands["uncertain_exposed"]
    return ", ".join(
        f"{name} {count} of {exposed[name]}"
        for name, count in sorted(commands["uncertain_explained"].items())
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"
