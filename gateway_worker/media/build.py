"""Joins what brings files to where they can be uploaded."""

from dataclasses import dataclass
from typing import Protocol

from gateway_worker.media.allowance import MediaAllowance
from gateway_worker.media.fetching.fetcher import EgressProxy, Fetcher
from gateway_worker.media.inspection.helpers import Helpers
from gateway_worker.media.inspection.inspector import Inspector
from gateway_worker.media.objects import ObjectReader, UploadStore
from gateway_worker.media.outgoing import Observer, Outgoing
from gateway_worker.media.previews import Previews
from gateway_worker.media.settings import MediaSettings
from gateway_worker.media.uploads import Uploads
from gateway_worker.runtime.clock import Clock


class MediaStore(ObjectReader, UploadStore, Protocol):
    """The bucket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingFiles:
    """What brings files to their messages, where backends put them before, and links' previews."""

    outgoing: Outgoing
    uploads: Uploads
    previews: Previews


def make_fetcher(settings: MediaSettings, *, is_on: bool = True) -> Fetcher:
    """Return what gets files from their URLs; enter it.

    Args:
        settings: Where it goes.
        is_on: Whether it goes anywhere at all.
    """
    proxy = settings.egress_proxy
    return Fetcher(
        is_on=is_on,
        permissions=settings.permissions(),
        proxy=None
        if proxy is None
        else EgressProxy(url=proxy.get_secret_value(), resolves=settings.egress_proxy_resolves),
    )


def build_outgoing(
    *,
    store: MediaStore,
    fetcher: Fetcher,
    helpers: Helpers,
    settings: MediaSettings,
    allowance: MediaAllowance,
    clock: Clock,
    observe: Observer,
) -> OutgoingFiles:
    """Build it; nothing begins to run.

    Args:
        store: The bucket.
        fetcher: Gets what is elsewhere.
        helpers: The processes that look at files.
        settings: Sizes and times.
        allowance: How many bytes each tenant may send.
        clock: The time.
        observe: Told of each step of a file.
    """
    uploads = Uploads(
        store=store,
        allowance=allowance,
        clock=clock,
        url_seconds=settings.upload_url_seconds,
        keep_seconds=settings.upload_keep_seconds,
    )
    inspector = Inspector(helpers=helpers)
    outgoing = Outgoing(
        objects=store,
        uploads=uploads,
        fetcher=fetcher,
        inspector=inspector,
        settings=settings,
        allowance=allowance,
        observe=observe,
    )
    previews = Previews(fetcher=fetcher, inspector=inspector, allowance=allowance)
    return OutgoingFiles(outgoing=outgoing, uploads=uploads, previews=previews)
