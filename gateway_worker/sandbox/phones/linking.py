"""How a phone takes companions into its account: by scanning a QR or by entering a code."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway_worker.sandbox.adv import companion_signed, identity_container
from gateway_worker.sandbox.phones.errors import (
    ForgedCompanionError,
    NothingHappenedError,
    NothingToEnterError,
)
from gateway_worker.sandbox.phones.pair_code import normalize, start_exchange
from gateway_worker.sandbox.phones.qr import QrOffer
from gateway_worker.sandbox.phones.values import Companion

if TYPE_CHECKING:
    from gateway_worker.sandbox.service.accounts import Account
    from gateway_worker.sandbox.service.linking import CompanionLinking
    from gateway_worker.sandbox.service.pairing import PairCodeFinish, PairCodeHello
    from gateway_worker.sandbox.signal.keys import KeyPair


class Linker:
    """Links companions to one account."""

    def __init__(self, *, linking: CompanionLinking, account: Account, identity: KeyPair) -> None:
        self._linking = linking
        self._account = account
        self._identity = identity
        self._raw_id = secrets.randbits(32)
        self._hello: PairCodeHello | None = None
        self._asked = asyncio.Event()
        self._finishes: dict[str, asyncio.Future[PairCodeFinish]] = {}

    async def scan(self, qr_text: str) -> Companion:
        """Link the companion that shows this QR.

        Raises:
            InvalidQrError: the text is no pairing QR.
            PairingRefusedError: the offer is unknown or spent, or the companion refused.
            ForgedCompanionError: the companion's answer is not signed by it.
        """
        offer = QrOffer.parse(qr_text)
        return await self._complete(
            ref=offer.ref, companion_identity=offer.identity, adv_secret=offer.adv_secret
        )

    async def enter_code(self, code: str, *, timeout: float) -> Companion:  # noqa: ASYNC109
        """Link the companion that asked for this phone and shows `code`.

        Args:
            code: eight letters and digits, a dash is ignored.
            timeout: seconds to wait for the companion's request, and again for its answer.

        Raises:
            NothingToEnterError: no companion has asked in time.
            WrongCodeError: it shows another code.
            NothingHappenedError: it did not answer in time.
            PairingRefusedError: the attempt is over, or the companion refused.
            ForgedCompanionError: the companion's answer is not signed by it.
        """
        plain = normalize(code)
        hello = await self._latest_hello(timeout)
        exchange = await start_exchange(code=plain, wrapped_ephemeral=hello.wrapped_ephemeral)
        answer = asyncio.get_running_loop().create_future()
        self._finishes[hello.ref] = answer
        try:
            self._linking.answer_pair_code(
                ref=hello.ref, wrapped_ephemeral=exchange.wrapped, identity=self._identity.public
            )
            async with asyncio.timeout(timeout):
                finish = await answer
        except TimeoutError as error:
            raise NothingHappenedError(f"no answer to the code within {timeout:g} s") from error
        finally:
            del self._finishes[hello.ref]
        secret = exchange.adv_secret(
            account=self._identity,
            companion_identity=finish.identity,
            wrapped_bundle=finish.wrapped_bundle,
        )
        self._hello = None
        self._asked.clear()
        return await self._complete(
            ref=hello.ref, companion_identity=finish.identity, adv_secret=secret
        )

    def hello(self, hello: PairCodeHello) -> None:
        """Take a companion's request; a later one replaces it."""
        self._hello = hello
        self._asked.set()

    def finish(self, finish: PairCodeFinish) -> None:
        """Take a companion's answer; one that nobody waits for is dropped."""
        waiter = self._finishes.get(finish.ref)
        if waiter is not None and not waiter.done():
            waiter.set_result(finish)

    async def _latest_hello(self, timeout: float) -> PairCodeHello:  # noqa: ASYNC109
        try:
            async with asyncio.timeout(timeout):
                await self._asked.wait()
        except TimeoutError as error:
            raise NothingToEnterError(f"no companion asked within {timeout:g} s") from error
        assert self._hello is not None
        return self._hello

    async def _complete(
        self, *, ref: str, companion_identity: bytes, adv_secret: bytes
    ) -> Companion:
        now = datetime.now(UTC)
        container = identity_container(
            account=self._identity,
            companion_identity=companion_identity,
            adv_secret=adv_secret,
            raw_id=self._raw_id,
            key_index=self._account.next_device(),
            timestamp=int(now.timestamp()),
        )
        linked = await self._linking.complete_pairing(
            ref=ref, account=self._account.lid, identity_container=container
        )
        if not companion_signed(
            container=container,
            answer=linked.device_identity,
            companion_identity=companion_identity,
        ):
            raise ForgedCompanionError("the companion's device signature does not verify")
        return Companion(
            device=linked.lid,
            number=linked.number,
            platform=linked.platform,
            platform_type=linked.platform_type,
            linked_at=datetime.now(UTC),
        )
