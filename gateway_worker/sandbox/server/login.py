"""From a finished handshake to a stage: pair a newcomer, let a companion in, or refuse it."""

from __future__ import annotations

import asyncio
import hmac
from typing import TYPE_CHECKING, Final

import structlog

from gateway_worker.sandbox.server.pairing import PairingStage
from gateway_worker.sandbox.server.payload import LoginRequest, read_payload
from gateway_worker.sandbox.server.queries.table import query_table
from gateway_worker.sandbox.server.session import DeviceSession
from gateway_worker.sandbox.server.stanzas import login_failure
from gateway_worker.sandbox.service.fault_rules import Drop, Failure, Point
from gateway_worker.sandbox.service.faults import StreamEnd
from gateway_worker.sandbox.service.pairing import CompanionKeys
from gateway_worker.sandbox.wire.node import Attrs, Node, now

if TYPE_CHECKING:
    from gateway_worker.sandbox.server.connection import Connection, Stage
    from gateway_worker.sandbox.server.unknown import UnknownQueries
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.devices import DeviceRecord
    from gateway_worker.sandbox.service.service import Service
    from gateway_worker.sandbox.wire.noise import Finished

LOGGED_OUT: Final = Failure(reason=401)
CUT_SECONDS: Final = 0.05
"""After so long a login that gets no answer is cut."""

log = structlog.get_logger(__name__)


class Login:
    """Picks the stage of each new connection."""

    def __init__(self, *, service: Service, unknown: UnknownQueries) -> None:
        """Work on a service."""
        self._service = service
        self._unknown = unknown

    def enter(self, connection: Connection, finished: Finished) -> Stage | None:
        """Read the client's first words and answer them.

        Returns:
            The stage, or `None` when the connection was refused.

        Raises:
            WireError: the client's payload makes no sense.
        """
        request = read_payload(finished.payload, finished.client_static)
        if isinstance(request, CompanionKeys):
            stage = PairingStage(
                connection=connection,
                keys=request,
                linking=self._service.linking,
                unknown=self._unknown,
            )
            stage.start()
            return stage
        return self._log_in(connection, request, finished.client_static)

    def _log_in(
        self, connection: Connection, request: LoginRequest, noise_public: bytes
    ) -> Stage | None:
        account = self._service.accounts.find(request.device)
        record = account.devices.get(request.device.device) if account else None
        if (
            account is None
            or record is None
            or not record.noise_public
            or not hmac.compare_digest(record.noise_public, noise_public)
        ):
            _refuse(connection, LOGGED_OUT)
            return None
        if self._service.faults.consume(Point.LOGIN, record, Drop) is not None:
            # Not at once: the library does not notice an end in the moment of its connecting.
            asyncio.get_running_loop().call_later(CUT_SECONDS, connection.abort)
            return None
        failure = self._service.faults.consume(Point.LOGIN, record, Failure)
        if failure is not None:
            _refuse(connection, failure)
            return None
        return self._welcome(connection, account, record, request)

    def _welcome(
        self,
        connection: Connection,
        account: Account,
        record: DeviceRecord,
        request: LoginRequest,
    ) -> Stage:
        if record.link is not None:
            record.link.end(StreamEnd.REPLACED)
        session = DeviceSession(
            connection=connection,
            service=self._service,
            account=account,
            record=record,
            queries=query_table(),
            unknown=self._unknown,
        )
        record.link = session
        record.logins += 1
        attrs: Attrs = {"t": now(), "lid": record.lid, "location": "loc", "props": "0"}
        attrs["display_name"] = account.push_name
        connection.send(Node("success", attrs))
        if not request.passive:
            session.activate()
        return session


def _refuse(connection: Connection, failure: Failure) -> None:
    log.info("sandbox.login_refused", reason=failure.reason)
    connection.close(login_failure(failure))
