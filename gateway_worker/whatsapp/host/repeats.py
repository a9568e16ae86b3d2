"""How often the same notice has come since the login."""

from collections import OrderedDict
from typing import Final

_REMEMBERED: Final = 256


class Repeats:
    """Counts the same bytes of one login.

    What WhatsApp tells once more, because it was not confirmed, comes after another login. So the
    same again within one is something else: a group that is set to "admins only", back, and to
    "admins only" again, by the same person within the same second.
    """

    def __init__(self) -> None:
        self._times: OrderedDict[int, int] = OrderedDict()

    def begin(self) -> None:
        """Forget what has come: there is another login, or there will be."""
        self._times.clear()

    def count(self, code: int, data: bytes) -> int:
        """Note that something has come; return how often it had come before.

        Args:
            code: The library's number of the event.
            data: Its bytes.
        """
        key = hash((code, data))
        before = self._times.pop(key, 0)
        self._times[key] = before + 1
        if len(self._times) > _REMEMBERED:
            self._times.popitem(last=False)
        return before
