"""A host's notices in the log: a host that is not itself any more makes no flood of them."""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final

from gateway_worker.host_protocol.envelope import Notice

NOTICES: Final = 50
NOTICES_SECONDS: Final = 10.0
"""So many notices of one host are logged in so long; of the others, that there were any."""
NOTICE_LENGTH: Final = 200
_NAME: Final = re.compile("[a-z_]{1,40}")


class NoticeLog:
    """Logs and counts the notices of one host.

    Args:
        log: The host's logger.
        noticed: Called with the name of each.
    """

    def __init__(self, *, log: Any, noticed: Callable[[str], None]) -> None:
        self._log = log
        self._noticed = noticed
        self._loop = asyncio.get_running_loop()
        self._left = NOTICES
        self._until = 0.0

    def take(self, notice: Notice) -> None:
        """Log and count one."""
        name = notice.event if _NAME.fullmatch(notice.event) else "unknown"
        self._noticed(name)
        now = self._loop.time()
        if now >= self._until:
            self._left, self._until = NOTICES, now + NOTICES_SECONDS
        self._left -= 1
        if self._left > 0:
            self._log.warning(f"host.{name}", detail=notice.detail[:NOTICE_LENGTH])
        elif self._left == 0:
            self._log.error("host.notices_suppressed", seconds=NOTICES_SECONDS)
