"""Pictures of people are fetched from WhatsApp's hosts, and from nowhere else."""

import pytest

from gateway_worker.errors import MediaRefusedError
from gateway_worker.media.arriving.media_host import MediaHost


@pytest.mark.parametrize(
    "url",
    [
        "http://pps.whatsapp.net/v/1.jpg",
        "https://whatsapp.net/v/1.jpg",
        "https://pps.whatsapp.net.example/v/1.jpg",
        "https://pps.whatsapp.net@example/v/1.jpg",
        "https://pps.whatsapp.net:8443/v/1.jpg",
        "https://127.0.0.1/v/1.jpg",
        "https://example/pps.whatsapp.net",
        "ftp://pps.whatsapp.net/v/1.jpg",
        "https://pps.whatsapp.net:port/v/1.jpg",
        "",
    ],
)
async def test_other_places_are_not_asked(url: str) -> None:
    """Whatever the library says: nobody is asked for the way there."""

    async def unasked(_session_id: str) -> str:
        raise AssertionError("nobody is connected to")

    async with MediaHost.open(proxy_of=unasked, ca_file=None, connections=1) as host:
        with pytest.raises(MediaRefusedError):
            await host.picture("s", url)
