"""Commands v1. Every command is idempotent by `id`; a repeat gets the stored outcome again.

Each module is a family and ends with the union of its commands. A command of a known family is one
class there; a family more is one more line in `Command`.
"""

from typing import Annotated

from pydantic import Field

from gateway_contracts.commands.message import MessageCommand
from gateway_contracts.commands.replay import ReplayCommand
from gateway_contracts.commands.session import PairByCode, PairByQr, Pairing, SessionCommand

__all__ = ["Command", "PairByCode", "PairByQr", "Pairing"]

Command = Annotated[SessionCommand | ReplayCommand | MessageCommand, Field(discriminator="type")]
"""Every command of this version, told apart by `type`."""
