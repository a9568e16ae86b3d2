"""What a status post needs before it is posted: its file, and those who are to see it.

There may be thousands of them. Their devices are looked up some at a time, with pauses, and the
backend is told how far that is; other sends of the session go on meanwhile. The post itself then
has to do nothing but encrypt. It is one message: the library takes no list of recipients, so that
it cannot be posted to some of them now and to the others later.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from gateway_contracts import StatusDelete, StatusPost, StatusProgress, StatusProgressData
from gateway_worker.commands.attachment_upload import AttachmentUpload
from gateway_worker.commands.preparation import Preparation
from gateway_worker.errors import UnsupportedError
from gateway_worker.host_protocol.methods.status import AT_ONCE, Audience, PrepareAudience, Reach
from gateway_worker.sessions.changes import Change, source_of
from gateway_worker.sessions.session.session import Session


class StatusPreparation(Preparation):
    """What becomes of a post, or of the deletion of one, over all attempts of its command.

    Args:
        command: What is to be sent.
        upload: Its file; None if it has none.
        check: Looked at before anybody is asked; raises what is wrong with the command.
        at_once: Of how many people the devices are asked for in one query.

    Attributes:
        upload: As above.
        audience: Who is to see it, once that is known.
        reach: Whom it reaches, as far as that is known.
    """

    def __init__(
        self,
        *,
        command: StatusPost | StatusDelete,
        upload: AttachmentUpload | None = None,
        check: Callable[[Session], Awaitable[object]] | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        self._command = command
        self._check = check
        self._at_once = at_once
        self.upload = upload
        self.audience: Audience | None = None
        self.reach = Reach()

    @property
    def is_ready(self) -> bool:
        """Whether it can be sent."""
        return self._is_known and (self.upload is None or self.upload.is_ready)

    async def run(self, session: Session) -> None:
        """Look up those who are to see it, then upload its file.

        Goes on where an earlier run has stopped. If the session's host is another one since, that
        begins anew; once all were looked up it does not, and that host looks them up as it posts.

        Raises:
            UnsupportedError: Nobody would see it.
            GatewayError: As the check says, the host, or the preparation of its file.
        """
        if self._check is not None:
            await self._check(session)
        while not self._is_known:
            await self._look_up_more(session)
        if self.upload is not None and not self.upload.is_ready:
            await self.upload.run(session)

    async def close(self) -> None:
        """Remove its file, if it is on this machine."""
        if self.upload is not None:
            await self.upload.close()

    @property
    def _is_known(self) -> bool:
        return self.audience is not None and self.audience.prepared >= self.audience.recipients

    async def _look_up_more(self, session: Session) -> None:
        before, began = self.audience, time.monotonic()
        call = PrepareAudience(begin=0 if before is None else before.prepared, count=self._at_once)
        found = await session.request(call)
        if before is None:
            self.reach = Reach()
        elif not found.reach.continues(self.reach) or found.prepared <= before.prepared:
            self.audience = None
            return
        if found.recipients == 0:
            raise UnsupportedError(
                "nobody would see it: the account's phone has told this device of no contact with "
                "a name, or shows its status to nobody"
            )
        self.audience = found
        self.reach = self.reach.and_then(found.reach)
        if not self._is_known:
            session.record(
                Change(
                    session_id=session.session_id,
                    epoch=session.epoch,
                    events=(self._progress(session, found),),
                )
            )
            # As long as WhatsApp had to work for it: at once, where the library knew all of them.
            await asyncio.sleep(time.monotonic() - began)

    def _progress(self, session: Session, audience: Audience) -> StatusProgress:
        command = self._command
        return StatusProgress(
            source=source_of(session.worker_id),
            subject=command.subject,
            correlationid=command.id,
            tenantid=command.tenantid,
            traceparent=command.traceparent,
            data=StatusProgressData(recipients=audience.recipients, prepared=audience.prepared),
        )
