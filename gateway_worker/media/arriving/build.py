"""Joins what fetches the files that arrive."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from gateway_worker.media.allowance import MediaAllowance
from gateway_worker.media.arriving.download import Downloader, EncryptedFiles
from gateway_worker.media.arriving.intake import MediaIntake
from gateway_worker.media.arriving.links import Links
from gateway_worker.media.arriving.pictures import PictureHost, Pictures
from gateway_worker.media.arriving.ports import MediaObserver, MediaTable, ObjectStore, Seal
from gateway_worker.media.arriving.retention import MediaRetention
from gateway_worker.media.arriving.sealed import SealedReferences
from gateway_worker.media.arriving.service import PATIENCE_SECONDS, ArrivingMedia, Pace
from gateway_worker.media.settings import MediaSettings
from gateway_worker.runtime.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Arriving:
    """What enters files, fetches them, deletes them when they are old; and pictures of people."""

    intake: MediaIntake
    service: ArrivingMedia
    retention: MediaRetention
    pictures: Pictures


class Files(EncryptedFiles, PictureHost, Protocol):
    """Where files and pictures come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivingPorts:
    """What leads outside.

    Attributes:
        table: The files in the database.
        objects: Where they are kept.
        files: Where they come from.
        seal: Encrypts what is stored of their places; None if there is no key.
        observer: Counts.
        allowance: How many bytes each tenant may receive.
    """

    table: MediaTable
    objects: ObjectStore
    files: Files
    seal: Seal | None
    observer: MediaObserver
    allowance: MediaAllowance


def build_arriving(
    ports: ArrivingPorts,
    settings: MediaSettings,
    *,
    source: str,
    prefix: str,
    clock: Clock,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Arriving:
    """Build it; nothing begins to run.

    Args:
        ports: What leads outside.
        settings: When files are fetched, and how long they are kept.
        source: The `source` of the events.
        prefix: What stands before every key in the bucket, and so behind the CDN.
        clock: The time.
        patience_seconds: How long a file is tried that cannot be had.
    """
    references = SealedReferences(seal=ports.seal)
    cdn_url = settings.cdn_url and f"{settings.cdn_url.rstrip('/')}/{prefix}"
    links = Links(
        objects=ports.objects, valid_seconds=settings.url_seconds, cdn_url=cdn_url, clock=clock
    )
    service = ArrivingMedia(
        source=source,
        table=ports.table,
        objects=ports.objects,
        downloader=Downloader(
            files=ports.files,
            objects=ports.objects,
            references=references,
            allowance=ports.allowance,
        ),
        links=links,
        observer=ports.observer,
        download=settings.download,
        pace=Pace(parallel=settings.parallel, patience_seconds=patience_seconds),
    )
    intake = MediaIntake(
        download=settings.download,
        eager_limit_bytes=settings.eager_max_bytes,
        references=references,
        waiting=service.arrived,
    )
    retention = MediaRetention(
        table=ports.table,
        objects=ports.objects,
        keep_seconds=timedelta(days=settings.retention_days).total_seconds(),
    )
    return Arriving(
        intake=intake,
        service=service,
        retention=retention,
        pictures=Pictures(
            host=ports.files, objects=ports.objects, links=links, allowance=ports.allowance
        ),
    )
