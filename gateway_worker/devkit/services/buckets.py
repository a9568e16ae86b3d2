"""The one S3 request that the launcher needs: create the bucket, signed with AWS Signature 4.

Done by hand because the S3 client library has its only home in the worker's storage package, and
because importing it takes longer than the server takes to start.
"""

import asyncio
import datetime as dt
import hashlib
import hmac
from urllib.parse import urlsplit

from gateway_worker.devkit.services.values import ObjectStore

TIMEOUT_SECONDS = 5.0
EMPTY_BODY = hashlib.sha256(b"").hexdigest()
SIGNED_HEADERS = "host;x-amz-content-sha256;x-amz-date"
CREATED_OR_THERE = (200, 409)


async def bucket_exists(store: ObjectStore) -> bool:
    """Create the bucket; True once it is there, False while the server cannot say so."""
    target = urlsplit(store.endpoint_url)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(target.hostname, target.port or 80)
            try:
                writer.write(_request(store, host=target.netloc))
                status_line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    parts = status_line.split()
    return len(parts) > 1 and parts[1].isdigit() and int(parts[1]) in CREATED_OR_THERE


def _request(store: ObjectStore, *, host: str) -> bytes:
    now = dt.datetime.now(dt.UTC)
    moment, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    path = f"/{store.bucket}"
    headers = {"host": host, "x-amz-content-sha256": EMPTY_BODY, "x-amz-date": moment}
    canonical = "\n".join(
        [
            "PUT",
            path,
            "",
            *(f"{name}:{value}" for name, value in headers.items()),
            "",
            SIGNED_HEADERS,
            EMPTY_BODY,
        ]
    )
    scope = f"{day}/{store.region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    signature = _sign(store, day=day, text=to_sign)
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={store.access_key_id}/{scope}, "
        f"SignedHeaders={SIGNED_HEADERS}, Signature={signature}"
    )
    headers |= {"content-length": "0", "connection": "close"}
    lines = [f"PUT {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _sign(store: ObjectStore, *, day: str, text: str) -> str:
    key = f"AWS4{store.secret_access_key}".encode()
    for part in (day, store.region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()
