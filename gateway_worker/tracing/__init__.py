"""Traces: the way of a command from its backend to WhatsApp's receipts, as OpenTelemetry has it.

Off unless a collector is named. What is traced knows only the ports that stand beside it
(`CommandTracing`, `EventTracing`, `ReceiptTracing`); `opening` loads OpenTelemetry, an extra of the
package, when it is wanted, and nothing else does.
"""

from gateway_worker.tracing.opening import Traces, open_traces
from gateway_worker.tracing.settings import TracingSettings

__all__ = ["Traces", "TracingSettings", "open_traces"]
