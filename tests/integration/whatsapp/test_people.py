"""What a session can ask about people, and change for its own account."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import pytest

from gateway_worker.commands.number_checks import BATCH, NumberAnswer, NumberChecks
from gateway_worker.errors import (
    GatewayError,
    NotAttemptedError,
    RateLimitedError,
    RecipientNotOnWhatsAppError,
    UpstreamRejectedError,
    UpstreamTimeoutError,
)
from gateway_worker.host_protocol.methods.contacts import (
    AskLink,
    AskPicture,
    AskProfile,
    Blocked,
    CheckContacts,
    Link,
    ListBlocked,
    LookUpContacts,
    Picture,
    SetBlocked,
)
from gateway_worker.host_protocol.methods.method import Done, Method, R
from gateway_worker.host_protocol.methods.profile import (
    AskOwnProfile,
    AskPrivacy,
    SetPrivacy,
    SetProfile,
)
from gateway_worker.host_protocol.wire import Person
from gateway_worker.sandbox.phones.phone import Phone
from gateway_worker.sandbox.service.fault_rules import Blank, Point, Rule, Who
from gateway_worker.sandbox.service.faults import Faults, QueryRefusal
from tests.integration.whatsapp.stage import Account, Stage
from tests.support.calls import send_text
from tests.support.eventually import eventually
from tests.support.samples import picture
from tests.support.spelled_numbers import Country, spelled_number

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="session")]

NOBODY = "12025559999"
SETTINGS = ("last_seen", "online", "picture", "about", "group_add", "read_receipts", "call_add")


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A session, as far as it asks.

    Attributes:
        account: Whose host it is.
        session_id: Its id.
    """

    account: Account
    session_id: str = "s"

    async def request(
        self, call: Method[R], *, command_id: str | None = None, seconds: float | None = None
    ) -> R:
        """Call a method of the host."""
        return await self.account.host.request(call, command_id=command_id, seconds=seconds)


def person_of(phone: Phone, **names: str) -> Person:
    """Return a phone's account under both ids."""
    return Person(
        jid=f"{phone.number}@s.whatsapp.net",
        lid=str(phone.jid),
        phone_number=f"+{phone.number}",
        **names,
    )


@pytest.mark.parametrize("country", get_args(Country))
@pytest.mark.parametrize("marked", [False, True], ids=["without", "with"])
async def test_numbers_are_told_as_whatsapp_writes_them(
    stage: Stage, shop: Account, country: Country, *, marked: bool
) -> None:
    """Where a country's numbers are written in two ways, whichever was asked about."""
    number = spelled_number(country, marked=marked)
    phone = await stage.sandbox.add_phone(number.known)

    checked = await shop.host.request(CheckContacts(numbers=(number.other, number.known)))
    looked_up = await shop.host.request(LookUpContacts(people=(number.other,)))

    assert checked.people == (person_of(phone), person_of(phone))
    assert looked_up.people == (person_of(phone),)


async def test_an_answer_is_kept_for_a_while(stage: Stage, shop: Account) -> None:
    """For as long as is said, and until the session is deleted; who has come since is not seen."""
    at = [1_000.0]
    checks = NumberChecks(clock=lambda: at[0])
    asking, number = Asking(account=shop), "12025558801"

    async def answer(max_age_seconds: float) -> NumberAnswer:
        found = await checks.ask(asking, (number,), max_age_seconds=max_age_seconds)
        return found.by_number[number]

    assert await answer(3_600) == NumberAnswer(person=None, age_seconds=0)
    phone = await stage.sandbox.add_phone(number)
    at[0] += 60
    assert await answer(3_600) == NumberAnswer(person=None, age_seconds=60)
    assert await answer(60) == NumberAnswer(person=person_of(phone), age_seconds=0)
    at[0] += 60
    assert await answer(61) == NumberAnswer(person=person_of(phone), age_seconds=60)
    checks.forget("s")
    assert (await answer(3_600)).age_seconds == 0


async def test_many_numbers_are_asked_about_in_batches(shop: Account) -> None:
    """With pauses; what would take too long is not asked, and what was answered stays known."""
    at = [1_000.0]
    checks = NumberChecks(clock=lambda: at[0], pause_seconds=100.0, at_once=2)
    asking = Asking(account=shop)
    numbers = [f"1202666{number:04d}" for number in range(BATCH * 2 + 1)]

    with pytest.raises(RateLimitedError) as limited:
        await checks.ask(asking, numbers, max_age_seconds=60)
    at[0] += 10
    kept = await checks.ask(asking, numbers[: BATCH * 2], max_age_seconds=60)
    at[0] += 90
    whole = await checks.ask(asking, numbers, max_age_seconds=1_000)

    assert limited.value.retry_after_seconds == 100.0
    assert {answer.age_seconds for answer in kept.by_number.values()} == {10}
    assert whole.by_number.keys() == set(numbers)
    assert whole.by_number[numbers[-1]] == NumberAnswer(person=None, age_seconds=0)


async def test_what_is_said_of_others_stays_known(stage: Stage, shop: Account) -> None:
    """Of one number nothing is said: that is no answer, and asked again it alone is asked about."""
    ben, cleo = await stage.customer("Ben"), await stage.customer("Cleo")
    passed_over = Rule(
        id=f"nothing-{ben.number}",
        point=Point.LOOKUP,
        who=Who(number=ben.number),
        effect=Blank(),
        times=2,
    )
    stage.sandbox.faults.add(passed_over)
    at = [1_000.0]
    checks = NumberChecks(clock=lambda: at[0])
    asking, numbers = Asking(account=shop), (ben.number, cleo.number)

    with pytest.raises(UpstreamTimeoutError, match="all numbers"):
        await checks.ask(asking, numbers, max_age_seconds=60)
    lacking = await checks.ask(asking, numbers, max_age_seconds=0, may_lack=True)
    assert lacking.by_number == {cleo.number: NumberAnswer(person=person_of(cleo), age_seconds=0)}
    at[0] += 10
    whole = await checks.ask(asking, numbers, max_age_seconds=60)
    assert [whole.by_number[number].age_seconds for number in numbers] == [0, 10]
    assert whole.by_number[ben.number].person == person_of(ben)


async def test_who_is_left_out_of_an_answer_is_not_gone(stage: Stage, shop: Account) -> None:
    """WhatsApp says of nobody that there is nobody; what it says nothing of may be asked again."""
    ben = await stage.customer("Ben")
    await shop.host.request(send_text(to=ben.number, text="hello"))
    passed_over = Rule(
        id=f"nothing-{ben.number}",
        point=Point.LOOKUP,
        who=Who(number=ben.number),
        effect=Blank(),
        times=1,
    )
    stage.sandbox.faults.add(passed_over)
    with pytest.raises(UpstreamTimeoutError):
        await shop.host.request(AskProfile(of=ben.number))
    assert (await shop.host.request(AskProfile(of=ben.number))).person == person_of(ben)


async def test_who_must_not_wait_is_told_for_how_long_it_would_be(shop: Account) -> None:
    """Before the pause, which a bulk would make for all others."""
    checks = NumberChecks(clock=lambda: 1_000.0, pause_seconds=1.0, at_once=1)
    numbers = [f"1202667{number:04d}" for number in range(BATCH + 1)]

    with pytest.raises(RateLimitedError) as limited:
        await checks.ask(Asking(account=shop), numbers, max_age_seconds=60, patience_seconds=0.0)
    assert limited.value.retry_after_seconds == 1.0


async def test_ids_are_looked_up_both_ways(stage: Stage, shop: Account) -> None:
    """From the device where it knows both, else from WhatsApp; of a LID alone nobody tells."""
    known, new, stranger = [await stage.customer() for _ in range(3)]
    await shop.host.request(CheckContacts(numbers=(known.number,)))
    people = (known.number, str(known.jid), new.number, str(stranger.jid), NOBODY)

    without = await shop.host.request(LookUpContacts(people=people, asks=False))
    asked = await shop.host.request(LookUpContacts(people=people))

    assert without.people == (person_of(known), person_of(known), None, None, None)
    assert asked.people == (person_of(known), person_of(known), person_of(new), None, None)


async def test_what_somebody_shows(stage: Stage, shop: Account) -> None:
    """About, certified name and picture; of who shows nothing, that there is somebody."""
    business, plain = await stage.customer("Corner Shop"), await stage.customer()
    business.profile.about, business.profile.verified_name = "Open 9 to 5", "Corner Shop Ltd"
    picture_id = business.set_picture(picture(form="JPEG"))

    told = await shop.host.request(AskProfile(of=business.number))
    bare = await shop.host.request(AskProfile(of=str(plain.jid)))

    assert told.person == person_of(business, verified_name="Corner Shop Ltd")
    assert (told.about, told.picture_id, told.devices) == ("Open 9 to 5", picture_id, 1)
    assert (bare.person.lid, bare.about, bare.picture_id) == (str(plain.jid), None, None)
    with pytest.raises(RecipientNotOnWhatsAppError):
        await shop.host.request(AskProfile(of=NOBODY))


async def test_pictures(stage: Stage, shop: Account) -> None:
    """One that is there, one that is hidden and none are told apart."""
    shown, hidden, bare = [await stage.customer() for _ in range(3)]
    picture_id = shown.set_picture(picture(form="JPEG"))
    hidden.set_picture(picture(form="JPEG"))
    hidden.profile.privacy["profile"] = "none"

    for is_preview in (False, True):
        found = await shop.host.request(AskPicture(of=shown.number, is_preview=is_preview))
        assert found.picture_id == picture_id
        assert found.url is not None
        assert found.url.startswith("https://pps.whatsapp.net/")
    assert await shop.host.request(AskPicture(of=hidden.number)) == Picture(is_hidden=True)
    assert await shop.host.request(AskPicture(of=bare.number)) == Picture()
    with pytest.raises(RecipientNotOnWhatsAppError):
        await shop.host.request(AskPicture(of=NOBODY))


async def test_blocking(stage: Stage, shop: Account) -> None:
    """Twice is once; what the phone has blocked is in the list too."""
    ben, eve = await stage.customer(), await stage.customer()
    shop.phone.block(eve.number)
    await shop.host.request(LookUpContacts(people=(eve.number,)))
    blocked = SetBlocked(contact=ben.number, is_blocked=True)

    assert await shop.host.request(blocked) == Done()
    assert await shop.host.request(blocked) == Done()

    listed = await shop.host.request(ListBlocked())
    assert set(listed.people) == {person_of(ben), person_of(eve)}
    for phone in (ben, eve):
        unblocked = SetBlocked(contact=str(phone.jid), is_blocked=False)
        assert await shop.host.request(unblocked) == Done()
    assert await shop.host.request(ListBlocked()) == Blocked(people=())


async def test_links(stage: Stage, shop: Account) -> None:
    """The account's own, which a new one may end, and whose somebody else's is."""
    ben, business = await stage.customer("Ben"), await stage.customer("Corner Shop")
    business.profile.verified_name, business.profile.greeting = "Corner Shop Ltd", "Hello!"

    first = await shop.host.request(AskLink())
    again = await shop.host.request(AskLink())
    second = await shop.host.request(AskLink(revokes=True))

    assert first == again
    assert first.link != second.link
    assert second.link == f"https://wa.me/qr/{shop.phone.profile.link_code}"
    link = f"https://wa.me/qr/{ben.profile.link_code}"
    await shop.host.request(LookUpContacts(people=(ben.number, business.number)))
    assert await shop.host.request(AskLink(link=link)) == Link(
        link=link, person=person_of(ben, push_name="Ben")
    )
    link = f"https://wa.me/message/{business.profile.link_code}"
    told = await shop.host.request(AskLink(link=link))
    assert told.message == "Hello!"
    assert told.person == person_of(
        business, push_name="Corner Shop", verified_name="Corner Shop Ltd"
    )
    with pytest.raises(UpstreamRejectedError):
        await shop.host.request(AskLink(link=first.link))


async def test_the_own_profile(shop: Account) -> None:
    """It is changed on all devices: the phone shows it too."""
    data = picture(640, 640, form="JPEG")
    place = shop.directory / "picture.jpg"
    place.write_bytes(data)

    with pytest.raises(NotAttemptedError):
        await shop.host.request(SetProfile(name="Corner Shop"))
    await shop.phone.share_keys()

    async def is_named() -> bool:
        try:
            return await shop.host.request(SetProfile(name="Corner Shop")) == Done()
        except NotAttemptedError:
            return False

    await eventually(is_named, timeout_seconds=30, reason="the key has come")
    for change in (SetProfile(about="Open 9 to 5"), SetProfile(picture=str(place))):
        assert await shop.host.request(change) == Done()
    told = await shop.host.request(AskOwnProfile())

    assert told.person == person_of(shop.phone, push_name="Corner Shop")
    assert (told.about, told.picture_id) == ("Open 9 to 5", shop.phone.profile.picture_id)
    assert shop.phone.profile.picture == data
    place.write_bytes(b"no picture")
    with pytest.raises(UpstreamRejectedError):
        await shop.host.request(SetProfile(picture=str(place)))


async def test_privacy(shop: Account) -> None:
    """Each setting in the contract's words; one that cannot be so is refused."""
    before = await shop.host.request(AskPrivacy())
    assert before.settings == dict.fromkeys(SETTINGS, "all")
    expected = dict(before.settings)
    for setting, value in (
        ("last_seen", "nobody"),
        ("online", "match_last_seen"),
        ("group_add", "contacts_except"),
        ("call_add", "known"),
        ("picture", "contacts"),
    ):
        expected[setting] = value
        changed = await shop.host.request(SetPrivacy(setting=setting, value=value))
        assert changed.settings == expected
    assert (await shop.host.request(AskPrivacy())).settings == expected
    for setting in SETTINGS:
        await shop.host.request(SetPrivacy(setting=setting, value="all"))


CALLS: tuple[tuple[str, Callable[[str], Method[Any]]], ...] = (
    ("usync/contact", lambda of: CheckContacts(numbers=(of,))),
    ("usync/contact", lambda of: LookUpContacts(people=(of,))),
    ("usync/status", lambda of: AskProfile(of=of)),
    ("w:profile:picture", lambda of: AskPicture(of=of)),
    ("blocklist", lambda of: SetBlocked(contact=of, is_blocked=True)),
    ("blocklist", lambda _of: ListBlocked()),
    ("w:qr", lambda _of: AskLink()),
    ("usync/status", lambda _of: AskOwnProfile()),
    ("w:mex", lambda _of: SetProfile(about="Closed")),
    ("privacy", lambda _of: SetPrivacy(setting="online", value="all")),
)


@pytest.mark.parametrize(
    ("query", "call_of"),
    CALLS,
    ids=[f"{query}-{number}" for number, (query, _) in enumerate(CALLS)],
)
async def test_what_whatsapp_refuses(
    stage: Stage, shop: Account, query: str, call_of: Callable[[str], Method[Any]]
) -> None:
    """Too many questions are a pause, and a refusal is one; neither is a success."""
    ben = await stage.customer()
    call = call_of(ben.number)
    if isinstance(call, AskPicture | SetBlocked):
        await shop.host.request(LookUpContacts(people=(ben.number,)))
    number = shop.phone.number
    refusals: tuple[tuple[int, type[GatewayError]], ...] = (
        (429, RateLimitedError),
        (403, UpstreamRejectedError),
    )
    for status, error in refusals:
        refused = QueryRefusal(query=query, status=status)
        stage.sandbox.faults.set(number, Faults(refused_queries=(refused,)))
        with pytest.raises(error):
            await shop.host.request(call)
        stage.sandbox.faults.clear(number)
