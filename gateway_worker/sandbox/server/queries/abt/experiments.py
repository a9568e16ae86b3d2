"""Experiments of the service: none."""

from __future__ import annotations

from typing import Final

from gateway_worker.sandbox.server.queries.answers import ANY, Answer
from gateway_worker.sandbox.server.queries.w.properties import none

ANSWERS: Final = (Answer(xmlns="abt", type="get", child=ANY, run=none),)
