"""Who sees the account's status posts, and the devices of them.

The library takes no list: it asks the server for the setting of the account's phone, and takes the
contacts from its store. For each of their devices it needs keys, and the list of all devices that
it does not know it asks for in one query: of thousands of people, in the middle of a send. Asked
before, some at a time, it knows them, and a query that fails is known to have sent nothing. Of whom
the server has named no device it does not say either: it posts to the others, or to nobody.
"""

import secrets
from collections.abc import Callable, Sequence

from gateway_worker.host_protocol.methods.status import AT_ONCE, Audience, PostStatus, Reach
from gateway_worker.whatsapp.convert.audience import StatusSetting
from gateway_worker.whatsapp.convert.people import PHONE_SERVER, without_device
from gateway_worker.whatsapp.host.native import Library


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
                return Audience(setting=setting.name, recipients=len(people), prepared=0)
            self._setting, self._people = setting, people
        some, recipients = self._people[begin : begin + count], len(self._people)
        reach = self._reach(some)
        prepared = min(begin + len(some), recipients)
        if prepared == recipients:  # nobody asks for more; who does all the same begins anew
            self._people = ()
        return Audience(
            setting=self._setting.name, recipients=recipients, prepared=prepared, reach=reach
        )

    def reach(self, post: PostStatus) -> Reach:
        """Return whom a post reaches: what its look-up has found, and what is found now.

        Raises:
            Exception: As the library says.
        """
        if post.reach.looked_up_by != self._name:
            return self._reach(self._now()[1])
        now = self._reach(post.reach.without_devices)
        return Reach(
            devices=post.reach.devices + now.devices,
            without_devices=now.without_devices,
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
        return Reach(devices=devices, without_devices=tuple(without), looked_up_by=self._name)

    def _ids_of(self, person: str) -> tuple[str, ...]:
        lid = self._library.lid_of(person) if person.endswith(f"@{PHONE_SERVER}") else None
        return (person,) if lid is None else (person, without_device(lid))

    def _now(self) -> tuple[StatusSetting, tuple[str, ...]]:
        setting = self._library.status_setting()
        own_people = {without_device(one) for one in self._own()}
        seen_by = setting.audience(self._library.named_contacts)
        return setting, tuple(sorted(seen_by - own_people))
