"""Judges a history: every promise that was broken, with the ids of who was concerned.

Pure: lists in, a verdict out. `sends` looks at commands, `arrivals` at what the phones wrote,
`files` at what came with these,
`order` at the order of both and of the events, `continuity` at gaps and at sessions that were lost,
`envelopes` at where events go and what they name,
`hostility` at what a hostile backend may not bring about, `moves` measures how long sessions were
away.
"""

from gateway_worker.devkit.chaos.audit.judge import audit
from gateway_worker.devkit.chaos.audit.verdict import Breach, Offence, Spread, Verdict

__all__ = ["Breach", "Offence", "Spread", "Verdict", "audit"]
