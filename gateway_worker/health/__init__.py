"""What the worker tells about itself: to probes and people over HTTP, to backends over RabbitMQ.

The way through the modules: `sidecar` is what `app.py` starts; it answers HTTP requests (`server`)
on a thread of its own, because a probe has to be answered when the worker's event loop cannot.
`checks` asks the dependencies in the background, `watchdog` watches the loop, `lifecycle` knows
whether the worker starts, runs or drains, `report` and `performance` put figures together.
`heartbeat`, `resources` and `capacity` serve the worker's events on RabbitMQ.
"""

from gateway_worker.health.checks import Check, CheckResult, Checks, CheckState
from gateway_worker.health.lifecycle import Lifecycle, Phase
from gateway_worker.health.report import features_section, resources_section, sessions_section
from gateway_worker.health.settings import HealthSettings
from gateway_worker.health.sidecar import HealthSidecar

__all__ = [
    "Check",
    "CheckResult",
    "CheckState",
    "Checks",
    "HealthSettings",
    "HealthSidecar",
    "Lifecycle",
    "Phase",
    "features_section",
    "resources_section",
    "sessions_section",
]
