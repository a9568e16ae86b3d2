"""What workers say of themselves."""

from typing import Annotated, Literal

from pydantic import Field

from gateway_contracts.envelope import WorkerEventEnvelope
from gateway_contracts.model import WireModel, WorkerId
from gateway_contracts.states import LogLevel, SessionState


class WorkerLoad(WireModel):
    """What a worker carries and uses."""

    worker: WorkerId
    version: str
    capacity: Annotated[int, Field(ge=0)] = Field(description="Sessions it may hold at most.")
    sessions: dict[SessionState, int] = Field(description="Sessions it holds, by state.")
    cpu_percent: float = Field(description="Of one core, worker and hosts together.")
    memory_bytes: int = Field(description="Worker, zygote and hosts together (PSS where known).")
    queue_depth: int | None = Field(None, description="Commands waiting in its queue.")
    outbox_depth: int = 0
    commands_per_second: float = 0.0
    events_per_second: float = 0.0
    uptime_seconds: float = 0.0
    log_level: LogLevel | None = Field(None, description="The least important event that it logs.")


class WorkerStarted(WorkerEventEnvelope):
    """A worker is ready for commands."""

    type: Literal["wa.worker.started.v1"] = "wa.worker.started.v1"
    data: WorkerLoad


class WorkerHeartbeat(WorkerEventEnvelope):
    """A worker is alive. Sent to `wa.heartbeats`, expires soon, never stored."""

    type: Literal["wa.worker.heartbeat.v1"] = "wa.worker.heartbeat.v1"
    data: WorkerLoad


class WorkerCapacityData(WireModel):
    """How many commands wait for a worker with a free slot, and how many slots are free."""

    worker: WorkerId
    waiting_commands: Annotated[int, Field(ge=0)] = Field(
        description="Commands that wait for a worker with a free slot."
    )
    free_slots: Annotated[int, Field(ge=0)] = Field(
        description="Sessions that the live workers together can still take."
    )


class WorkerCapacity(WorkerEventEnvelope):
    """A full worker sees commands wait that no worker has a slot for, or no longer.

    Said once when they begin to wait and once, with `waiting_commands` 0 or `free_slots` above 0,
    when that is over; each full worker says it for itself.
    """

    type: Literal["wa.worker.capacity.v1"] = "wa.worker.capacity.v1"
    data: WorkerCapacityData


class WorkerDraining(WorkerEventEnvelope):
    """A worker takes no more commands and hands its sessions over."""

    type: Literal["wa.worker.draining.v1"] = "wa.worker.draining.v1"
    data: WorkerLoad


class WorkerStopped(WorkerEventEnvelope):
    """A worker has left in good order."""

    type: Literal["wa.worker.stopped.v1"] = "wa.worker.stopped.v1"
    data: WorkerLoad


WorkerEvent = WorkerStarted | WorkerHeartbeat | WorkerCapacity | WorkerDraining | WorkerStopped
"""Every event of this family."""
