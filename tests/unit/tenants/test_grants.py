"""What a verified sender may do, and what not."""

from pathlib import Path

import pytest

import gateway_contracts
from gateway_contracts import Command, SessionReplay, SessionReplayData, parse_command
from gateway_contracts.tenants import is_tenant, service_of_queue, tenant_of, tenant_of_service
from gateway_worker.tenants.grants import EVERYTHING, NOTHING, Grant, of_stamp, of_tenant
from gateway_worker.tenants.verifying import Claims, UserVerifier

EXAMPLES = sorted((Path(gateway_contracts.__file__).parent / "examples").glob("*.json"))
ACME = Grant(tenant="acme")


def commands(subject: str) -> list[Command]:
    """Return every example of a command, for a session of this name."""
    found = []
    for path in EXAMPLES:
        try:
            command = parse_command(path.read_bytes())
        except ValueError:
            continue
        name = command.subject if command.subject.startswith("_") else "support"
        found.append(command.model_copy(update={"subject": f"{subject}{name}"}))
    return found


def replay(queue: str) -> SessionReplay:
    """Return a replay into a queue."""
    return SessionReplay(
        source="/backends/x",
        subject="acme.support",
        data=SessionReplayData(queue=queue, from_sequence=1),
    )


@pytest.mark.parametrize("subject", ["mallory.", "", "acmes.", "acme-2.", "ACME."])
def test_nothing_of_another_tenant_is_covered(subject: str) -> None:
    """Whichever command it is; neither is a session of no tenant."""
    assert [one.type for one in commands(subject) if ACME.covers(one)] == []


def test_all_of_its_own_is_covered_but_replays_into_other_queues() -> None:
    """The examples replay into the queue of a service that is none of its."""
    left = {one.type for one in commands("acme.") if not ACME.covers(one)}

    assert left == {"wa.session.replay.v1"}
    assert ACME.covers(replay("wa.backend.acme.replay"))
    assert ACME.covers(replay("wa.backend.acme_crm.replay"))
    for queue in (
        "wa.backend.mallory.replay",
        "wa.backend.acme-2.replay",
        "wa.backend.backend.acme",
    ):
        assert not ACME.covers(replay(queue))
        assert EVERYTHING.covers(replay(queue))


def test_everything_and_nothing() -> None:
    """An operator's grant covers every session, nobody's none."""
    everyones = [*commands("acme."), *commands("")]

    assert all(EVERYTHING.covers(one) for one in everyones)
    assert not any(NOTHING.covers(one) for one in everyones)
    assert NOTHING.is_nothing
    assert not EVERYTHING.is_nothing


def test_a_grant_may_be_for_some_sessions_and_actions() -> None:
    """By their names, or by how they begin; the list of all sessions is none of them."""
    sends = Grant(tenant="acme", sessions=("support", "eu-*"), actions=("message.send", "group.*"))
    found = {one.type for one in commands("acme.") if sends.covers(one)}
    assert "wa.message.send.v1" in found
    assert found == {
        one.type
        for one in commands("acme.")
        if one.type == "wa.message.send.v1" or one.type.startswith("wa.group.")
    }
    everything = Grant(tenant="acme", sessions=("eu-*",))
    (example,) = (one for one in commands("acme.") if one.type == "wa.session.stop.v1")
    for name, is_covered in (("eu-1", True), ("eu-", True), ("support", False), ("_fleet", False)):
        command = example.model_copy(update={"subject": f"acme.{name}"})
        assert everything.covers(command) is is_covered, name
    assert not any(Grant(tenant="acme", actions=()).covers(one) for one in commands("acme."))


def test_stamps() -> None:
    """What a worker says of a command is what it has verified, and nothing else."""
    for grant in (EVERYTHING, NOTHING, ACME):
        assert of_stamp(grant.stamp) == grant
    for nonsense in (None, 7, "", "worker", "a.b", "a" * 32, b"*"):
        assert of_stamp(nonsense) is NOTHING


@pytest.mark.parametrize(
    ("user", "grant"),
    [
        ("gateway-backend-acme", ACME),
        ("gateway-backend-acme_crm", ACME),
        ("gateway-backend-acme_crm_2", ACME),
        ("gateway-backend-acme-2", Grant(tenant="acme-2")),
        ("root", EVERYTHING),
        ("gateway-operator", NOTHING),
        ("gateway-backend", NOTHING),
        ("gateway-backend-", NOTHING),
        ("gateway-backend-_acme", NOTHING),
        ("gateway-backend-worker", NOTHING),
        ("gateway-trusted-acme", NOTHING),
        ("acme", NOTHING),
        (None, NOTHING),
    ],
)
def test_users_of_the_broker(user: str | None, grant: Grant) -> None:
    """Only those with the name of a tenant's user, and those who are named as operators."""
    verifier = UserVerifier(operators=frozenset({"root"}))

    assert verifier.verify(Claims(user_id=user, authorization="Bearer x")) == grant


def test_names() -> None:
    """A tenant is a word without dots and underscores."""
    assert [is_tenant(name) for name in ("acme", "a" * 31, "A-1")] == [True] * 3
    assert not any(is_tenant(name) for name in ("", "a_b", "a.b", "-a", "a" * 32, "worker", "ä"))
    assert (tenant_of("acme.support"), tenant_of("support")) == ("acme", None)
    assert tenant_of_service("acme_crm") == "acme"
    assert service_of_queue("x.y.backend.acme.replay") == "acme"
    assert service_of_queue("wa.backend.backend.acme") == "backend"
    assert service_of_queue("wa.backend.mallory.backend") == "mallory"
    assert service_of_queue("acme") == ""
    assert of_tenant("worker") is NOTHING
