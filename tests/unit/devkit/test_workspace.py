"""Directories, ports and locks of private services."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_worker.devkit.services import guard, state
from gateway_worker.devkit.services.loopback import LOOPBACK, LOWEST_PORT, PortBook
from gateway_worker.devkit.services.workspace import Workspace

HOLD_DIRECTORY = """
import pathlib, sys
from gateway_worker.devkit.services import state
with state.exclusive(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_secrets_are_kept_and_private(tmp_path: Path) -> None:
    """The second launch finds the passwords that the data was created with."""
    first = Workspace(root=tmp_path, is_durable=True).secret("postgres")
    second = Workspace(root=tmp_path, is_durable=True)

    assert second.secret("postgres") == first
    assert second.secret("redis") != first
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


def test_ports_are_the_same_next_time(tmp_path: Path) -> None:
    """A URL that a developer has copied stays right."""
    first = Workspace(root=tmp_path, is_durable=True)
    ports = first.take_ports("broker", ("amqp", "epmd"))
    first.ports.close()
    second = Workspace(root=tmp_path, is_durable=True)

    assert second.take_ports("broker", ("amqp", "epmd")) == ports
    second.ports.close()


def test_a_port_in_use_is_replaced(tmp_path: Path) -> None:
    """Somebody else may have taken the port meanwhile."""
    first = Workspace(root=tmp_path, is_durable=True)
    port = first.take_ports("broker", ("amqp",))["amqp"]
    first.ports.close()
    with socket.create_server((LOOPBACK, port)):
        second = Workspace(root=tmp_path, is_durable=True)
        other = second.take_ports("broker", ("amqp",))["amqp"]
        second.ports.close()

    assert other != port


def test_a_claimed_port_is_not_given_twice() -> None:
    """Two launchers cannot choose the same port before either server listens on it."""
    mine, theirs = PortBook(), PortBook()
    port = mine.take(("a",), wished={})["a"]

    assert theirs.take(("a",), wished={"a": port})["a"] != port
    mine.close()
    assert theirs.take(("b",), wished={"b": port})["b"] == port
    theirs.close()


def test_ports_are_below_those_of_outgoing_connections() -> None:
    """No outgoing connection can take the port while a server is still starting."""
    book = PortBook()
    ports = book.take([str(number) for number in range(20)], wished={})
    book.close()

    assert len(set(ports.values())) == 20
    assert min(ports.values()) >= LOWEST_PORT
    assert max(ports.values()) < 32768


def test_a_port_and_the_one_that_goes_with_it_are_claimed_together() -> None:
    """A server that listens on a second port of its own accord finds that one free, too."""
    mine, theirs = PortBook(), PortBook()
    port = mine.take(("a",), wished={}, second=10_000)["a"]

    assert port + 10_000 < 32768
    assert theirs.take(("b",), wished={"b": port + 10_000})["b"] != port + 10_000
    mine.close()
    with socket.create_server((LOOPBACK, port + 10_000)):
        assert theirs.take(("c",), wished={"c": port}, second=10_000)["c"] != port
    assert theirs.take(("d",), wished={"d": port})["d"] == port, "a claim of half was left"
    theirs.close()


def test_a_directory_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    """A second launcher is refused by the first one's pid, until that has ended, however."""
    command = [sys.executable, "-c", HOLD_DIRECTORY, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert state.is_in_use(tmp_path)
        with pytest.raises(state.DataInUseError, match=f"process {holder.pid} "):
            state.exclusive(tmp_path).__enter__()
        holder.kill()

    assert not state.is_in_use(tmp_path)
    with state.exclusive(tmp_path):
        assert state.is_in_use(tmp_path)


def test_a_state_without_its_process_says_nothing(tmp_path: Path) -> None:
    """A supervisor that was killed leaves its file; nobody may believe it."""
    with state.exclusive(tmp_path):
        state.publish(tmp_path, state.State(pid=os.getpid(), sources={}, services=None))
        assert state.published(tmp_path) is not None

    assert state.published(tmp_path) is None


def test_the_guard_runs_nothing_for_a_parent_that_is_gone() -> None:
    """A child that starts after its parent's death ends at once."""
    arguments = [sys.executable, "-I", "-S", guard.__file__, "1", "-1", "-1", "echo", "ran"]
    result = subprocess.run(arguments, capture_output=True, check=False)

    assert result.returncode == guard.PARENT_IS_GONE
    assert result.stdout == b""
