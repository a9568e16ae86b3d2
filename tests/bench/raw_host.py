"""A raw neonize host: the library and nothing else, for the throughput to compare with.

Pairs by QR (printed as a JSON line), then for each line `{"to": digits, "count": n}` on its input
sends so many messages one after the other and says when it is done. With a `url` and a `path`
instead of a count it gets a file from there and sends that. What arrives is only counted; after a
`put` the file of the next document goes to that URL.
"""

import json
import os
import shutil
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

from neonize import client as neonize
from neonize import events
from neonize._binder import ProxySettings

from tests.support.neonize_driver import emit, install_root, jid_of


class Counter:
    """Counts what arrives."""

    def __init__(self) -> None:
        self.messages = 0
        self.put: str | None = None

    def message(self, client: Any, event: Any) -> None:
        """Count a message, and put its file where it is wanted."""
        self.messages += 1
        if self.put is not None:
            url, self.put = self.put, None
            put_document(client, event.Message, url)

    @staticmethod
    def receipt(_client: Any, _event: Any) -> None:
        """Take a receipt and do nothing, as a handler must."""


def serve(client: Any, counter: Counter) -> None:
    """Send what is asked for until the input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        to = jid_of(order["to"])
        if "url" in order:
            send_document(client, to, order["url"], order["path"])
        counter.put = order.get("put")
        for number in range(order.get("count", 0)):
            client.send_message(to, f"message {number}")
        emit("sent", count=order.get("count", 1), received=counter.messages)
    client.stop()
    os._exit(0)


def send_document(client: Any, to: Any, url: str, path: str) -> None:
    """Get a file and send it as the library's manual says."""
    with urllib.request.urlopen(url, timeout=60) as answer, Path(path).open("wb") as file:
        shutil.copyfileobj(answer, file, 1 << 20)
    client.send_document(to, path, filename="document.bin")


def put_document(client: Any, message: Any, url: str) -> None:
    """Download a document as the library's manual says and put it into the object store."""
    began = time.monotonic()
    data = client.download_any(message)
    urllib.request.urlopen(urllib.request.Request(url, data=data, method="PUT"), timeout=60).close()
    emit("stored", size=len(data), seconds=time.monotonic() - began)


def main() -> None:
    """Connect, and send until told to leave."""
    store, proxy, root = sys.argv[1:4]
    install_root(bytes.fromhex(root))
    counter = Counter()
    client = neonize.NewClient(store, uuid="raw")
    client.event(events.MessageEv)(counter.message)
    client.event(events.ReceiptEv)(counter.receipt)
    client.event(events.ConnectedEv)(lambda _client, _event: emit("connected"))
    client.event.qr(lambda _client, data: emit("qr", text=data.decode()))
    threading.Thread(target=serve, args=(client, counter), daemon=True).start()
    client.connect(ProxySettings(proxy_address=proxy))


if __name__ == "__main__":
    main()
