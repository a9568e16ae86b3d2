"""What stands for a port in tests keeps its promises: a suite runs against it and the real one."""

import ast
from pathlib import Path

import gateway_worker

TESTS = Path(__file__).parents[2]
WORKER = Path(gateway_worker.__file__).parent
PROMISE_NOTHING = {"support/ports.py"}
"""Ports that fail the test when they are asked, and such as only take."""
NO_FAKES = {
    "AbsentBroker": "fails to send, and then sends",
    "NoHosts": "refuses: there are none",
    "WatchedOutbox": "counts what it asks the real one",
}
SUITES = {
    "AheadClock": "unit/runtime/test_clocks.py",
    "ManualClock": "unit/runtime/test_clocks.py",
    "MemoryLauncher": "integration/whatsapp/test_hosts_port.py",
    "MemoryLeases": "integration/storage/db/test_leases_port.py",
    "MemoryRecorder": "integration/outbox/test_recorder_port.py",
    "MemoryRegister": "integration/storage/db/test_copies.py",
    "MemoryBindings": "integration/broker/test_bindings_port.py",
    "MemorySessions": "integration/storage/db/test_sessions_port.py",
    "MemorySnapshots": "integration/storage/objects/test_snapshots_port.py",
}
INDIRECT = {"AheadClock", "MemoryRegister", "MemorySessions"}
"""They derive from the real one, or from what fails when it is asked, or only fit the port."""
DIRECT = SUITES.keys() - INDIRECT


def ports() -> set[str]:
    """Return the protocols of the worker by module and name."""
    found: set[str] = set()
    for path in WORKER.rglob("*.py"):
        module = ".".join(path.relative_to(WORKER.parent).with_suffix("").parts)
        found |= {
            f"{module}.{node.name}"
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)
        }
    return found


def derived(path: Path, wanted: set[str]) -> set[str]:
    """Return the classes of a module that derive from one of the protocols, or stand for one."""
    tree = ast.parse(path.read_text())
    imported = {
        name.asname or name.name: f"{node.module}.{name.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and (wanted & {imported.get(ast.unparse(base), "") for base in node.bases})
    }


def test_whatever_derives_from_a_port_has_a_suite_or_a_reason() -> None:
    """And nothing is named that derives from none any more."""
    wanted = ports()
    fakes: set[str] = set()
    for path in TESTS.rglob("*.py"):
        if path.relative_to(TESTS).as_posix() not in PROMISE_NOTHING:
            fakes |= derived(path, wanted)
    assert fakes == DIRECT | NO_FAKES.keys()


def test_every_suite_runs_against_its_fake() -> None:
    """It names it."""
    missing = {fake for fake, suite in SUITES.items() if fake not in (TESTS / suite).read_text()}
    assert missing == set()
