"""What stands for a port in tests keeps its promises: a suite runs against it and the real one."""

import ast
from functools import cache
from pathlib import Path

import pytest

import gateway_worker

pytestmark = pytest.mark.xdist_group("fakes")  # what they have read they share

TESTS = Path(__file__).parents[2]
WORKER = Path(gateway_worker.__file__).parent
PROMISE_NOTHING = {"support/ports.py"}
"""Ports that fail the test when they are asked, and such as only take."""
NO_FAKES = {
    "Mill": "is the backend's side of the consumer's tests",
    "Names": "says where names lead, as the test wants it",
    "NoCommands": "has none: whatever waits for one to end runs at once",
    "NoHosts": "refuses: there are none",
    "Past": "takes rows, and refuses as often as a test says",
    "Peers": "says of the others what the test says",
    "Recorder": "keeps what the sandbox delivers",
    "Counted": "keeps what it is told",
    "CountingObserver": "keeps what it is told",
    "Disk": "says of sends what a test says of them",
    "EmptyBucket": "has nothing, and takes what comes",
    "FullSocket": "is full: nothing is sent by it",
    "Sent": "takes messages to other workers",
    "Sink": "settles what it is given by the real broker",
    "SlowFiles": "has one row, which comes when the test says so",
    "SlowObjects": "takes what is written when the test says so",
    "Spans": "notes which spans begin and end",
    "TricklingFiles": "go silent in the middle of a file",
    "LossyBroker": "loses as much as the model of the relay says",
    "SteppedOutbox": "has what the model of the relay commits",
    "ToldHosts": "keeps what it is told",
    "Watched": "does what a test says of a connection",
    "WatchedOutbox": "counts what it asks the real one",
    "_Span": "notes that it has ended",
    "_Acknowledging": "settles what it is given by the real broker",
}
SUITES = {
    "AheadClock": "unit/runtime/test_clocks.py",
    "ManualClock": "unit/runtime/test_clocks.py",
    "MemoryBuckets": "integration/storage/cache/test_pacing.py",
    "MemoryByteCounts": "integration/storage/db/test_media_bytes.py",
    "MemoryDiskRecords": "integration/storage/db/test_disk_records_port.py",
    "MemoryFleet": "integration/storage/db/test_fleet_port.py",
    "MemoryIntake": "integration/broker/test_intake_port.py",
    "MemoryLauncher": "integration/whatsapp/test_hosts_port.py",
    "MemoryLeases": "integration/storage/db/test_leases_port.py",
    "MemoryPublications": "integration/broker/test_publications_port.py",
    "MemoryRecorder": "integration/outbox/test_recorder_port.py",
    "MemoryRegister": "integration/storage/db/test_copies.py",
    "MemoryBindings": "integration/broker/test_bindings_port.py",
    "MemorySessions": "integration/storage/db/test_sessions_port.py",
    "MemorySettler": "integration/broker/test_settler_port.py",
    "MemorySnapshots": "integration/storage/objects/test_snapshots_port.py",
}
INDIRECT = {"AheadClock", "MemoryIntake", "MemorySessions"}
"""They derive from the real one, or from what fails when it is asked."""
REAL = {"Reviewed", "SharedServices"}
"""They fit a port, and lead to the real thing."""
DIRECT = SUITES.keys() - INDIRECT


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return the classes and imports of a module that has classes."""
    source, kept = path.read_text(), ast.ClassDef | ast.ImportFrom
    if "class " not in source:  # to read it as Python takes much longer
        return ()
    return tuple(node for node in ast.walk(ast.parse(source)) if isinstance(node, kept))


@cache
def protocols() -> dict[ast.ClassDef, str]:
    """Return the protocols of the worker, with module and name."""
    found: dict[ast.ClassDef, str] = {}
    for path in WORKER.rglob("*.py"):
        if "Protocol" not in path.read_text():
            continue
        module = ".".join(path.relative_to(WORKER.parent).with_suffix("").parts)
        found |= {
            node: f"{module}.{node.name}"
            for node in nodes(path)
            if isinstance(node, ast.ClassDef) and "Protocol" in map(ast.unparse, node.bases)
        }
    return found


def derived(path: Path, wanted: set[str]) -> set[str]:
    """Return the classes of a module that derive from one of the protocols, or stand for one."""
    imported = {
        name.asname or name.name: f"{node.module}.{name.name}"
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    return {
        node.name
        for node in nodes(path)
        if isinstance(node, ast.ClassDef)
        and (wanted & {imported.get(ast.unparse(base), "") for base in node.bases})
    }


def test_whatever_derives_from_a_port_has_a_suite_or_a_reason() -> None:
    """And nothing is named that derives from none any more."""
    wanted = set(protocols().values())
    fakes: set[str] = set()
    for path in TESTS.rglob("*.py"):
        if path.relative_to(TESTS).as_posix() not in PROMISE_NOTHING:
            fakes |= derived(path, wanted)
    assert fakes == DIRECT | NO_FAKES.keys()


def test_every_suite_runs_against_its_fake() -> None:
    """It names it."""
    missing = {fake for fake, suite in SUITES.items() if fake not in (TESTS / suite).read_text()}
    assert missing == set()


def methods(node: ast.ClassDef) -> dict[str, list[str]]:
    """Return the public methods of a class with the names of their parameters."""
    return {
        one.name: [given.arg for given in (*one.args.args, *one.args.kwonlyargs)]
        for one in node.body
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and not one.name.startswith("_")
    }


def test_whatever_fits_a_port_derives_from_it() -> None:
    """Or nobody would see that it stands for one, nor a type checker that it fits no more."""
    known = [port.items() for node in protocols() if (port := methods(node))]
    fitting = {
        node.name
        for path in TESTS.rglob("*.py")
        for node in nodes(path)
        if isinstance(node, ast.ClassDef) and not node.bases
        if (own := methods(node).items()) and any(port <= own for port in known)
    }
    assert fitting == REAL
