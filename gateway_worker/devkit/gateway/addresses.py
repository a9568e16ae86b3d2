"""Where a local gateway is: one JSON line, and a file that other commands find it by."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Self

from gateway_worker.devkit.services.errors import ServicesError

FILE_NAME: Final = "gateway.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """What a backend and its tests connect to.

    Attributes:
        amqp_url: The broker, with credentials.
        control_url: The control API of the sandbox.
        control_token: The bearer token that the API demands, if it demands one.
    """

    amqp_url: str
    control_url: str
    control_token: str | None = field(default=None, repr=False)

    def to_json(self) -> str:
        """Return one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read such a line; raises ValueError or TypeError for anything else."""
        return cls(**json.loads(text))

    @classmethod
    def published_in(cls, data: Path) -> Self:
        """Return where the gateway is that runs with this data directory.

        Raises:
            ServicesError: None runs.
        """
        try:
            return cls.from_json((data / FILE_NAME).read_text())
        except FileNotFoundError:
            raise ServicesError(
                "no gateway runs here; start one with ./dev run --sandbox, or ./dev demo --keep"
            ) from None

    @contextmanager
    def published(self, data: Path) -> Iterator[None]:
        """Let other processes find the gateway while the block runs; it holds credentials."""
        data.mkdir(parents=True, exist_ok=True)
        file = data / FILE_NAME
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        file.write_text(self.to_json())
        try:
            yield
        finally:
            file.unlink(missing_ok=True)
