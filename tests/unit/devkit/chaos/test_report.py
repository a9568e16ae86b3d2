"""The result for people and for programs."""

from pathlib import Path

from gateway_worker.devkit.chaos.audit import audit
from gateway_worker.devkit.chaos.options import read_options
from gateway_worker.devkit.chaos.report import as_json, table
from tests.unit.devkit.chaos.builder import Story

WANTED = {
    "faults": None,
    "commands": {
        *("issued", "lost", "doubled", "ids_not_refused"),
        *("uncertain", "uncertain_unexplained"),
        *("uncertain_identified", "uncertain_arrived", "uncertain_resolved"),
    },
    "inbound": {"sent", "delivered", "lost", "lost_outside_window", "doubled"},
    "files": {"arrived", "ready", "failed", "lost", "damaged", "doubled"},
    "groups": {"sent", "receipts_due", "receipts_told", "changes", "changes_told"},
    "order_violations": None,
    "event_gaps": None,
    "forged": None,
    "new_qr_needed": None,
    "takeover_seconds": {"p50", "max"},
    "handover_seconds": {"p50", "p99"},
}


def test_the_keys_are_there() -> None:
    """Those that others rely on."""
    result = as_json(audit(Story.clean().history()), read_options([]))

    for name, inner in WANTED.items():
        assert name in result
        assert inner is None or inner <= set(result[name])
    assert result["passed"] is True


def test_offenders_are_named_by_ids_only() -> None:
    """No text and no number of a phone."""
    story = Story.clean()
    story.send("c3")
    story.write("m3")
    result = as_json(audit(story.history()), read_options([]))
    printed = "\n".join(table(result))

    assert {one["id"] for one in result["offenders"]} == {"c3", "m3"}
    assert "c3" in printed
    assert "FAILED: 2 offences" in printed
    assert "text of" not in printed


def test_the_command_line_is_read() -> None:
    """All options of a run."""
    options = read_options(
        [
            *("--minutes", "20", "--seed", "4", "--workers", "3", "--sessions", "30"),
            *("--json", "out.json", "--rate", "2"),
            *("--keep-logs", "logs"),
        ]
    )

    assert (options.plan.seconds, options.plan.seed) == (1200, 4)
    assert (options.plan.workers, options.plan.sessions) == (3, 30)
    assert (options.json_path, options.logs) == (Path("out.json"), Path("logs"))
    assert options.rate == 2
