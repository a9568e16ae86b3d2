"""The auditor finds what is wrong with messages to several, and with who comes and goes."""

import pytest

from gateway_contracts import SessionState, StatusReason
from gateway_worker.devkit.chaos.audit import Breach, audit
from gateway_worker.devkit.chaos.audit.receipts import AFTER_SECONDS, ON_ITS_WAY_SECONDS
from gateway_worker.devkit.chaos.history import ImpactKind, Kind
from gateway_worker.devkit.chaos.quiescence import QUIET_SECONDS
from tests.unit.devkit.chaos.builder import Story, breaches

MEMBERS = ("ann", "ben")


def told_to_all(*command_ids: str) -> Story:
    """Return a session that has written to a group; all members have it and say so."""
    story = Story.linked()
    for command_id in command_ids:
        story.send_to("group", command_id, *MEMBERS)
        for member in MEMBERS:
            story.show(command_id, phone=member)
        story.tell(kind=Kind.SUCCEEDED, command_id=command_id, message_id=f"wa-{command_id}")
        for member in MEMBERS:
            confirm(story, command_id, member)
    return story


def confirm(story: Story, command_id: str, member: str) -> None:
    """Let a member's receipt arrive."""
    message_id = f"wa-{command_id}"
    story.tell(kind=Kind.RECEIPT, command_id=command_id, message_id=message_id, by=member)


def test_what_all_members_have_is_well() -> None:
    """It is counted, and each of them is due a receipt."""
    verdict = audit(told_to_all("c0", "c1").history())

    assert verdict.offences == ()
    assert verdict.commands.shared == 2
    assert (verdict.receipts.due, verdict.receipts.told) == (4, 4)


def test_a_success_that_one_member_never_shows_is_lost() -> None:
    """That others have it is not enough."""
    story = told_to_all("c0")
    story.send_to("group", "c1", *MEMBERS)
    story.show("c1", phone="ann")
    story.tell(kind=Kind.SUCCEEDED, command_id="c1", message_id="wa-c1")
    confirm(story, "c1", "ann")
    (offence,) = audit(story.history()).offences

    assert (offence.breach, offence.identity) == (Breach.COMMAND_LOST, "c1")


@pytest.mark.parametrize(
    ("content", "left_out", "lost"), [("status", 1, 0), ("status", 0, 1), ("text", 1, 1)]
)
def test_who_is_left_out_of_a_status_post_has_to_be_told(
    content: str, left_out: int, lost: int
) -> None:
    """A member of a group asks for what it cannot read, and so has to have it in the end."""
    story = told_to_all("c0")
    story.send_to("group", "c1", *MEMBERS, content=content)
    story.show("c1", phone="ann")
    story.tell(kind=Kind.SUCCEEDED, command_id="c1", message_id="wa-c1", left_out=left_out)
    confirm(story, "c1", "ann")

    assert breaches(story) == [Breach.COMMAND_LOST] * lost


def test_what_members_have_under_different_ids_is_doubled() -> None:
    """It was sent twice, and each of them shows it once."""
    story = told_to_all("c0")
    story.send_to("group", "c1", *MEMBERS)
    story.show("c1", phone="ann")
    story.show("c1", "wa-other", phone="ben")
    story.tell(kind=Kind.SUCCEEDED, command_id="c1", message_id="wa-c1")
    confirm(story, "c1", "ann")
    story.tell(kind=Kind.RECEIPT, command_id="c1", message_id="wa-other", by="ben")

    assert Breach.COMMAND_DOUBLED in breaches(story)


@pytest.mark.parametrize(("chat", "expected"), [("group", [Breach.OUT_OF_ORDER]), ("other", [])])
def test_order_is_kept_within_a_chat(chat: str, expected: list[Breach]) -> None:
    """A file that takes long holds up its own chat only."""
    story = Story.linked()
    story.send_to("group", "c0", "ann")
    story.send_to(chat, "c1", "ann")
    for command_id in ("c1", "c0"):
        story.show(command_id, phone="ann")
        story.tell(kind=Kind.SUCCEEDED, command_id=command_id, message_id=f"wa-{command_id}")

    assert breaches(story) == expected


def test_each_member_has_it_in_order() -> None:
    """What one of them has got in order another one has not."""
    story = told_to_all("c0", "c1")
    bens = [place for place, one in enumerate(story.seen_by_phones) if one.phone == "ben"]
    shown = story.seen_by_phones
    shown[bens[0]], shown[bens[1]] = shown[bens[1]], shown[bens[0]]

    assert breaches(story) == [Breach.OUT_OF_ORDER]


@pytest.mark.parametrize(("streams", "expected"), [("aa", [Breach.OUT_OF_ORDER]), ("ab", [])])
def test_order_is_that_of_a_writer_in_a_chat(streams: str, expected: list[Breach]) -> None:
    """Nothing is said of two who write at once."""
    story = Story.linked()
    for name, stream in zip(("m0", "m1"), streams, strict=True):
        story.write(name, stream=stream)
    for name in ("m1", "m0"):
        story.tell(kind=Kind.RECEIVED, message_id=name)

    assert breaches(story) == expected


@pytest.mark.parametrize(
    ("seconds", "kind", "expected"),
    [
        (0.0, ImpactKind.HOST_KILLED, []),
        (AFTER_SECONDS + 5, ImpactKind.HOST_KILLED, [Breach.RECEIPT_LOST]),
        (0.0, ImpactKind.REROUTED, [Breach.RECEIPT_LOST]),
        (0.0, None, [Breach.RECEIPT_LOST]),
    ],
)
def test_a_members_receipt_that_never_came(
    seconds: float, kind: ImpactKind | None, expected: list[Breach]
) -> None:
    """It may be lost with its host, about then; a binding that is away takes none."""
    story = Story.linked()
    story.send_to("group", "c0", *MEMBERS)
    for member in MEMBERS:
        story.show("c0", phone=member)
    story.tell(kind=Kind.SUCCEEDED, command_id="c0", message_id="wa-c0")
    confirm(story, "c0", "ann")
    story.now += seconds
    if kind is not None:
        story.impact(kind)
    verdict = audit(story.history())

    assert [one.breach for one in verdict.offences] == expected
    assert (verdict.receipts.due, verdict.receipts.told) == (2, 1)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(ON_ITS_WAY_SECONDS - 1, []), (ON_ITS_WAY_SECONDS + 1, [Breach.RECEIPT_LOST])],
)
def test_a_receipt_that_may_be_on_its_way(seconds: float, expected: list[Breach]) -> None:
    """The run has ended in the midst of it: nobody can say whether it was lost."""
    story = Story.linked()
    story.send_to("group", "c0", *MEMBERS)
    for member in MEMBERS:
        story.show("c0", phone=member)
    story.ended_at = story.now + seconds
    story.tell(kind=Kind.SUCCEEDED, command_id="c0", message_id="wa-c0")

    assert breaches(story) == expected


def test_a_run_that_has_settled_excuses_no_receipt() -> None:
    """It was silent for as long as one may be on its way."""
    assert QUIET_SECONDS >= ON_ITS_WAY_SECONDS


@pytest.mark.parametrize(
    ("who", "expected"), [("cleo", [Breach.RECEIPT_STRANGE]), ("guest", []), ("", [])]
)
def test_a_receipt_of_somebody_else(who: str, expected: list[Breach]) -> None:
    """Who comes and goes may have it; whose number is not known is not judged."""
    story = told_to_all("c0")
    confirm(story, "c0", who)

    assert breaches(story) == expected


def come_and_go(*versions: str) -> Story:
    """Return a session that is told of all who came and went."""
    story = Story.linked()
    for version in versions:
        story.change_members(version)
        story.tell(kind=Kind.MEMBERS, message_id=version)
    return story


def test_who_comes_and_goes_is_told_once() -> None:
    """It is counted; told again, or in another order, it is an offence."""
    story = come_and_go("v0", "v1")
    verdict = audit(story.history())
    assert verdict.passed
    assert (verdict.members.changed, verdict.members.told) == (2, 2)

    story.tell(kind=Kind.MEMBERS, message_id="v1")
    assert breaches(story) == [Breach.MEMBERS_DOUBLED]


def test_who_comes_and_goes_is_told_in_order() -> None:
    """First that somebody came, then that he went."""
    story = Story.linked()
    for version in ("v0", "v1"):
        story.change_members(version)
    for version in ("v1", "v0"):
        story.tell(kind=Kind.MEMBERS, message_id=version)

    assert breaches(story) == [Breach.OUT_OF_ORDER]


@pytest.mark.parametrize("case", ["taken over", "handed over", "made when the new one was there"])
def test_a_change_from_a_dead_workers_disk_has_no_order(case: str) -> None:
    """It came to the former owner, which passes it on when it is back; nothing else is late."""
    story = come_and_go("v0")
    moved = StatusReason.HANDED_OVER if case == "handed over" else StatusReason.TAKEN_OVER
    if case != "made when the new one was there":
        story.change_members("v1")
    story.status(SessionState.CONNECTING, moved, worker="b")
    story.status(SessionState.CONNECTED, StatusReason.LOGIN_SUCCEEDED, worker="b")
    story.now += 5
    if case == "made when the new one was there":
        story.change_members("v1")
    story.change_members("v2")
    for version in ("v2", "v1"):
        story.tell(kind=Kind.MEMBERS, message_id=version)
    verdict = audit(story.history())

    assert [one.identity for one in verdict.late] == (["v1"] if case == "taken over" else [])
    assert breaches(story) == ([] if case == "taken over" else [Breach.OUT_OF_ORDER])


def test_a_change_that_nobody_has_made() -> None:
    """It is told, and was not so."""
    story = come_and_go("v0")
    story.tell(kind=Kind.MEMBERS, message_id="v9")

    assert breaches(story) == [Breach.MEMBERS_DOUBLED]


@pytest.mark.parametrize("killed", [True, False])
def test_a_change_that_was_never_told(*, killed: bool) -> None:
    """It may be lost with its host, and in no other way."""
    story = come_and_go("v0")
    story.change_members("v1")
    if killed:
        story.impact()
    verdict = audit(story.history())

    assert breaches(story) == ([] if killed else [Breach.MEMBERS_LOST])
    assert (verdict.members.told, verdict.members.lost_in_window) == (1, int(killed))
