"""The connection to the object store, and the translation of what goes wrong with it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import structlog

from gateway_worker.errors import ConfigurationError, DependencyError
from gateway_worker.runtime.os_errors import described
from gateway_worker.storage.objects.settings import ObjectsSettings

if TYPE_CHECKING:
    from aioboto3 import Session
    from types_aiobotocore_s3 import S3Client

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")

_MISSING: Final = frozenset({"404", "NoSuchBucket", "NotFound"})
_REFUSED: Final = frozenset(
    {
        "301",
        "400",
        "403",
        "AccessDenied",
        "Forbidden",
        "InvalidAccessKeyId",
        "InvalidBucketName",
        "SignatureDoesNotMatch",
    }
)
_MOST_SKEW_SECONDS: Final = 300.0
"""Stores take signatures that are at most 15 minutes off; an hour of daylight saving is more."""
_OURS_ALREADY: Final = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})


class StoreRefusedError(DependencyError):
    """The store answered with an error; `reason` is its code, e.g. `NoSuchKey`."""

    def __init__(self, detail: str, *, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


class ForeignAnswerError(DependencyError):
    """Something between us and the store has answered for it: that says nothing of any object."""


def told(answer: Mapping[str, object], name: str) -> Any:
    """Return what each answer of a store has.

    Args:
        answer: What was understood of it: of a page for people that is little or nothing.
        name: The field.

    Raises:
        ForeignAnswerError: It has no such field.
    """
    found = answer.get(name)
    if found is None:
        raise ForeignAnswerError(f"what answers for the object store is none: it says no {name}")
    return found


class Objects:
    """One client for the life of the worker. Made by `open`."""

    def __init__(
        self,
        *,
        session: "Session",
        client: "S3Client",
        link_client: "S3Client",
        settings: ObjectsSettings,
    ) -> None:
        self._session = session
        self._client = client
        self._link_client = link_client
        self._settings = settings
        self._bucket_seen = False

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: ObjectsSettings) -> AsyncIterator["Objects"]:
        """Make the client and look for the bucket; a store that does not answer is only logged.

        Raises:
            ConfigurationError: The store refuses us, or the bucket is missing and may not be made.
        """
        async with AsyncExitStack() as stack:
            # Importing the library and reading its model of S3 takes about a second: not here.
            session = await asyncio.to_thread(_make_session)
            client = link_client = await _enter(stack, session, settings, settings.endpoint_url)
            if settings.public_endpoint_url is not None:  # a link's signature covers its host
                link_client = await _enter(stack, session, settings, settings.public_endpoint_url)
            objects = cls(
                session=session, client=client, link_client=link_client, settings=settings
            )
            await objects._start()
            yield objects

    @asynccontextmanager
    async def beside(self) -> AsyncIterator["Objects"]:
        """Make a second client, with connections of its own: neither's calls wait for the other's.

        What both know of the library's is there once.
        """
        async with AsyncExitStack() as stack:
            client = await _enter(stack, self._session, self._settings, self._settings.endpoint_url)
            yield Objects(
                session=self._session,
                client=client,
                link_client=self._link_client,
                settings=self._settings,
            )

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self._settings.bucket

    @property
    def prefix(self) -> str:
        """What stands before every key."""
        return self._settings.prefix

    async def check(self) -> None:
        """Ask for the bucket, which is made again if it may be. Raises `DependencyError`."""
        self._bucket_seen = False
        await self.call(_nothing)

    async def call(self, do: Callable[["S3Client"], Awaitable[Answer]]) -> Answer:
        """Do something with the store, in bounded time.

        Raises:
            StoreRefusedError: It answered with an error.
            DependencyError: It could not be reached or took too long; it may have been done.
        """
        try:
            async with asyncio.timeout(self._settings.operation_timeout_seconds):
                await self._ensure_bucket()
                return await do(self._client)
        except ConfigurationError as error:  # once the worker runs, it waits for somebody to act
            raise DependencyError(error.detail) from error
        except Exception as error:  # the library, its HTTP client and the loop have one each
            raise self.translated(error) from error

    async def link(
        self,
        key: str,
        *,
        valid_seconds: int,
        operation: Literal["get_object", "put_object"] = "get_object",
        **more: Any,
    ) -> str:
        """Return a URL at which anybody can read or write an object for a while; asks nobody.

        Args:
            key: The object's, with the prefix.
            valid_seconds: For how long.
            operation: What can be done there.
            more: Further parameters of that operation: who uses the URL is bound to them.

        Raises:
            DependencyError: There are no credentials to sign with.
        """
        try:
            return await self._link_client.generate_presigned_url(
                operation,
                Params={"Bucket": self.bucket, "Key": key, **more},
                ExpiresIn=valid_seconds,
            )
        except Exception as error:  # the library, its HTTP client and the loop have one each
            raise self.translated(error) from error

    async def _start(self) -> None:
        try:
            async with asyncio.timeout(self._settings.operation_timeout_seconds):
                await self._ensure_bucket()
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - the worker can do without for a while
            log.warning("objects.unavailable", detail=self.translated(error).detail)

    async def _ensure_bucket(self) -> None:
        if not self._bucket_seen:
            await self._look_for_bucket()
            self._bucket_seen = True

    async def _look_for_bucket(self) -> None:
        try:
            await self._client.head_bucket(Bucket=self.bucket)
        except Exception as error:  # only the reason in it says what to do
            reason = _reason(error)
            if reason in _MISSING:
                await self._create_bucket()
            elif reason in _REFUSED:
                refused = f"the object store at {self._settings.address} refuses access ({reason})"
                if (why := _clock_is_off(error)) is not None:  # which may pass
                    raise StoreRefusedError(f"{refused}: {why}", reason=reason) from error
                raise ConfigurationError(
                    f"{refused}: check credentials, region and bucket"
                ) from error
            else:
                raise

    async def _create_bucket(self) -> None:
        if not self._settings.may_create_bucket:
            raise ConfigurationError(
                f"there is no bucket {self.bucket!r} at {self._settings.address}: create it, or"
                " allow the worker to"
            )
        region = self._settings.region
        place: Any = {}
        if self._settings.endpoint_url is None and region != "us-east-1":
            place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            await self._client.create_bucket(Bucket=self.bucket, **place)
        except Exception as error:  # as above
            if _reason(error) not in _OURS_ALREADY:
                raise
        else:
            log.info("objects.bucket_created", bucket=self.bucket)

    def translated(self, error: Exception) -> DependencyError:
        """Return what an error of the library's is to the worker."""
        if isinstance(error, StoreRefusedError | ForeignAnswerError):
            return error
        where = f"the object store at {self._settings.address}"
        reason = _reason(error)
        if reason == "NoSuchBucket":
            self._bucket_seen = False
        if reason is not None:
            return StoreRefusedError(f"{where}: {reason}", reason=reason)
        return DependencyError(f"{where}: {described(error)}")


def _reason(error: Exception) -> str | None:
    """Return the code of an answer that is an error, or None if there was no answer."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return None
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", "unknown")
    return str(response.get("Error", {}).get("Code") or status)  # a page has no code


def _clock_is_off(error: Exception) -> str | None:
    """Say how far this machine's clock is from the store's, if that is more than a store takes.

    An answer to HEAD has no text that could say so.
    """
    answer = getattr(error, "response", {})
    try:
        theirs = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        ahead = (datetime.now(UTC) - theirs).total_seconds()
    except (KeyError, TypeError, ValueError):
        return None
    if abs(ahead) <= _MOST_SKEW_SECONDS:
        return None
    side = "ahead of" if ahead > 0 else "behind"
    return f"this machine's clock is {abs(ahead) / 60:.0f} minutes {side} the store's, set it"


async def _nothing(_client: "S3Client") -> None:
    return


def _make_session() -> "Session":
    import aioboto3  # noqa: PLC0415 - takes a second, and few commands need it

    return aioboto3.Session()


async def _enter(
    stack: AsyncExitStack, session: "Session", settings: ObjectsSettings, endpoint_url: str | None
) -> "S3Client":
    context = await asyncio.to_thread(_client_context, session, settings, endpoint_url)
    return await stack.enter_async_context(context)


def _client_context(
    session: "Session", settings: ObjectsSettings, endpoint_url: str | None
) -> "AbstractAsyncContextManager[S3Client]":
    from aiobotocore.config import AioConfig  # noqa: PLC0415 - as above

    from gateway_worker.storage.objects.http_session import session_class  # noqa: PLC0415 - as above

    custom = endpoint_url is not None
    # Many stores know no other checksums than they must.
    checksums: Literal["when_required", "when_supported"] = (
        "when_required" if custom else "when_supported"
    )
    secret = settings.secret_access_key
    return session.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name=settings.region,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=None if secret is None else secret.get_secret_value(),
        config=AioConfig(
            connect_timeout=settings.connect_timeout_seconds,
            read_timeout=settings.read_timeout_seconds,
            max_pool_connections=settings.max_connections,
            retries={"mode": "standard", "total_max_attempts": 2},
            request_checksum_calculation=checksums,
            response_checksum_validation=checksums,
            signature_version="s3v4",
            http_session_cls=session_class(settings.tls),
            s3={"addressing_style": "path" if custom else "auto"},
        ),
    )
