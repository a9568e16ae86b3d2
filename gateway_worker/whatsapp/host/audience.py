"""Who sees the account's status posts, and the devices of them.

The library takes no list: it asks the server for the setting of the account's phone, and takes the
contacts from its store. For each of their devices it needs keys, and the list of all devices that
it does not know it asks for in one query: of thousands of people, in the middle of a send. Asked
before, some at a time, it knows them, and a query that fails is known to have sent nothing.
"""

from collections.abc import Callable

from gateway_worker.host_protocol.methods.status import Audience
from gateway_worker.whatsapp.convert.audience import StatusSetting
from gateway_worker.whatsapp.convert.people import without_device
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
        if some:
            self._library.know_devices_of(*some)
        prepared = min(begin + len(some), recipients)
        if prepared == recipients:  # nobody asks for more; who does all the same begins anew
            self._people = ()
        return Audience(setting=self._setting.name, recipients=recipients, prepared=prepared)

    def _now(self) -> tuple[StatusSetting, tuple[str, ...]]:
        setting = self._library.status_setting()
        own_people = {without_device(one) for one in self._own()}
        seen_by = setting.audience(self._library.named_contacts)
        return setting, tuple(sorted(seen_by - own_people))
