"""Who sees the account's status posts, and the devices of them.

The library takes no list: it asks the server for the setting of the account's phone, and takes the
contacts from its store. For each of their devices it needs keys, and the list of all devices that
it does not know it asks for in one query: of thousands of people, in the middle of a send. Asked
before, some at a time, it knows them, and a query that fails is known to have sent nothing. Of whom
the server has named no device it does not say either: it posts to the others, or to nobody.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway_worker.host_protocol.methods.status import AT_ONCE, Audience, PostStatus
from gateway_worker.whatsapp.convert.audience import StatusSetting
from gateway_worker.whatsapp.convert.people import PHONE_SERVER, without_device
from gateway_worker.whatsapp.host.native import Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whom a post reaches.

    Attributes:
        devices: How many devices they have.
        without_devices: Who sees the posts and has none that WhatsApp names, as JIDs.
    """

    devices: int = 0
    without_devices: tuple[str, ...] = ()

    @property
    def is_nobody(self) -> bool:
        """Whether there are people who would see it, and none of them can be written to."""
        return not self.devices and bool(self.without_devices)


class AudienceLookUp:
    """Who sees the status posts, from one look to the next.

    Args:
        library: The client; it must be connected, or have been, whenever it is asked.
        own: Returns the account's own JIDs, as far as they are known: they see each post anyway.
    """

    def __init__(self, *, library: Library, own: Callable[[], frozenset[str]]) -> None:
        self._library = library
        self._own = own
        self._setting = StatusSetting()
        self._people: tuple[str, ...] = ()
        self._name = secrets.token_hex(4)

    def prepare(self, *, begin: int, count: int) -> Audience:
        """Look up the devices of some of them.

        Args:
            begin: After how many of them; 0 finds out anew who they are.
            count: Of how many; 0 asks who they are, and leaves what a post has under way.

        Raises:
            Exception: As the library says.
        """
        if begin == 0:
            setting, people = self._now()
            if not count:
                return self._part(setting, recipients=len(people), prepared=0, reach=Reach())
            self._setting, self._people = setting, people
        some, recipients = self._people[begin : begin + count], len(self._people)
        reach = self._reach(some)
        prepared = min(begin + len(some), recipients)
        if prepared == recipients:  # nobody asks for more; who does all the same begins anew
            self._people = ()
        return self._part(self._setting, recipients=recipients, prepared=prepared, reach=reach)

    def reach(self, post: PostStatus) -> Reach:
        """Return whom a post reaches: what its look-up has found, and what is found now.

        Raises:
            Exception: As the library says.
        """
        if post.looked_up_by != self._name:
            return self._reach(self._now()[1])
        now = self._reach(post.without_devices)
        return Reach(devices=post.devices + now.devices, without_devices=now.without_devices)

    def _part(
        self, setting: StatusSetting, *, recipients: int, prepared: int, reach: Reach
    ) -> Audience:
        return Audience(
            setting=setting.name,
            recipients=recipients,
            prepared=prepared,
            devices=reach.devices,
            without_devices=reach.without_devices,
            looked_up_by=self._name,
        )

    def _reach(self, people: Sequence[str]) -> Reach:
        """Have the library know the devices of people, some at a time, and say which there are."""
        devices, without = 0, []
        for begin in range(0, len(people), AT_ONCE):
            some = people[begin : begin + AT_ONCE]
            found = self._library.look_up_devices_of(*some)
            users = {without_device(one) for one in found}
            devices += len(found)
            without += [one for one in some if users.isdisjoint(self._ids_of(one))]
        return Reach(devices=devices, without_devices=tuple(without))

    def _ids_of(self, person: str) -> tuple[str, ...]:
        lid = self._library.lid_of(person) if person.endswith(f"@{PHONE_SERVER}") else None
        return (person,) if lid is None else (person, without_device(lid))

    def _now(self) -> tuple[StatusSetting, tuple[str, ...]]:
        setting = self._library.status_setting()
        own_people = {without_device(one) for one in self._own()}
        seen_by = setting.audience(self._library.named_contacts)
        return setting, tuple(sorted(seen_by - own_people))
