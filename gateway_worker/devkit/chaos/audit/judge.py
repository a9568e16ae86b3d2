"""Puts the judgements together, and adds what can be said of the run as a whole."""

from collections.abc import Iterator

from gateway_worker.devkit.chaos.audit.arrivals import judge_inbound
from gateway_worker.devkit.chaos.audit.continuity import judge_continuity
from gateway_worker.devkit.chaos.audit.files import judge_files
from gateway_worker.devkit.chaos.audit.hostility import judge_hostility
from gateway_worker.devkit.chaos.audit.moves import handover_times, takeover_times
from gateway_worker.devkit.chaos.audit.order import judge_order
from gateway_worker.devkit.chaos.audit.receipts import judge_receipts
from gateway_worker.devkit.chaos.audit.sends import judge_commands
from gateway_worker.devkit.chaos.audit.verdict import Breach, Commands, Inbound, Offence, Verdict
from gateway_worker.devkit.chaos.history import History

KILLS_PER_UNCERTAIN = 20
KILLS_PER_LOST = 10
FEWEST_KILLS = 20
"""A run with fewer says nothing about how often something happens."""


def audit(history: History) -> Verdict:
    """Judge a run."""
    commands, inbound = judge_commands(history), judge_inbound(history)
    files, order = judge_files(history), judge_order(history)
    host_kills = sum(impact.kind.is_kill for impact in history.impacts)
    return Verdict(
        commands=commands,
        inbound=inbound,
        files=files,
        late=order.late,
        host_kills=host_kills,
        reused_keys=history.reused_keys,
        takeover=takeover_times(history),
        handover=handover_times(history),
        injections=history.injections,
        offences=(
            *commands.offences,
            *inbound.offences,
            *files.offences,
            *order.offences,
            *judge_receipts(history),
            *judge_continuity(history),
            *judge_hostility(history),
            *_excesses(commands, inbound, host_kills),
        ),
    )


def _excesses(commands: Commands, inbound: Inbound, host_kills: int) -> Iterator[Offence]:
    """Judge how often happens what may happen."""
    if host_kills < FEWEST_KILLS:
        return
    uncertain, lost = commands.uncertain - commands.unanswered, len(inbound.lost_in_window)
    if uncertain * KILLS_PER_UNCERTAIN > host_kills:
        yield Offence(
            breach=Breach.TOO_MANY_UNCERTAIN,
            detail=f"{uncertain} in {host_kills} kills of hosts",
        )
    if lost * KILLS_PER_LOST > host_kills:
        yield Offence(breach=Breach.TOO_MANY_LOST, detail=f"{lost} in {host_kills} kills of hosts")
