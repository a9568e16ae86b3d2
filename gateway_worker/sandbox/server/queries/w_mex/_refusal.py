"""How a query of this namespace is refused: in its own JSON, as a result."""

from __future__ import annotations

from typing import Any


class RefusedError(Exception):
    """The service does not do what was asked.

    Attributes:
        body: what the answer says.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        extensions = {"error_code": code, "is_retryable": False, "severity": "CRITICAL"}
        self.body: dict[str, Any] = {
            "data": None,
            "errors": [{"message": message, "path": [], "extensions": extensions}],
        }
