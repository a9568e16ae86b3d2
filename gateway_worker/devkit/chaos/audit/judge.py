"""Puts the judgements together, and adds what can be said of the run as a whole."""

from collections import Counter
from collections.abc import Iterator, Mapping

from gateway_worker.devkit.chaos.audit.arrivals import judge_inbound
from gateway_worker.devkit.chaos.audit.continuity import judge_continuity
from gateway_worker.devkit.chaos.audit.envelopes import judge_envelopes
from gateway_worker.devkit.chaos.audit.files import judge_files
from gateway_worker.devkit.chaos.audit.hostility import judge_hostility
from gateway_worker.devkit.chaos.audit.members import judge_members
from gateway_worker.devkit.chaos.audit.moves import handover_times, takeover_times
from gateway_worker.devkit.chaos.audit.order import judge_order
from gateway_worker.devkit.chaos.audit.receipts import judge_receipts
from gateway_worker.devkit.chaos.audit.recoveries import recoveries
from gateway_worker.devkit.chaos.audit.sends import judge_commands
from gateway_worker.devkit.chaos.audit.verdict import Breach, Commands, Inbound, Offence, Verdict
from gateway_worker.devkit.chaos.history import History

IMPACTS_PER_UNCERTAIN = 20
KILLS_PER_LOST = 10
FEWEST_IMPACTS = 20
"""A run with fewer says nothing about how often something happens."""


def audit(history: History) -> Verdict:
    """Judge a run."""
    commands, inbound = judge_commands(history), judge_inbound(history)
    files, order = judge_files(history), judge_order(history)
    receipts, members = judge_receipts(history), judge_members(history)
    host_kills = sum(impact.kind.is_kill for impact in history.impacts)
    exposed = Counter(
        impact.kind.value for impact in history.impacts if not impact.kind.is_harmless
    )
    return Verdict(
        commands=commands,
        inbound=inbound,
        files=files,
        receipts=receipts,
        members=members,
        late=order.late,
        host_kills=host_kills,
        exposed=exposed,
        reused_keys=history.reused_keys,
        takeover=takeover_times(history),
        handover=handover_times(history),
        injections=history.injections,
        recoveries=recoveries(history),
        offences=(
            *commands.offences,
            *inbound.offences,
            *files.offences,
            *order.offences,
            *receipts.offences,
            *members.offences,
            *judge_continuity(history),
            *judge_envelopes(history),
            *judge_hostility(history),
            *_too_many_uncertain(commands, exposed),
            *_too_many_lost(inbound, host_kills),
        ),
    )


def _too_many_uncertain(commands: Commands, exposed: Mapping[str, int]) -> Iterator[Offence]:
    """Judge how often sends stay uncertain, each kind of impact by how often that has hit.

    How many are uncertain at first says how long sends are on their way on this machine, and what
    has arrived is told later: what stays unknown is judged. What has killed a host says nothing of
    what freezing one may cost. Kinds that have hit too few to be judged are judged together.
    """
    rare = [kind for kind, times in exposed.items() if times < FEWEST_IMPACTS]
    groups = [[kind] for kind in exposed if kind not in rare]
    for kinds in [*groups, rare]:
        uncertain = sum(commands.blamed.get(kind, 0) for kind in kinds)
        times = sum(exposed[kind] for kind in kinds)
        if times >= FEWEST_IMPACTS and uncertain * IMPACTS_PER_UNCERTAIN > times:
            yield Offence(
                breach=Breach.TOO_MANY_UNCERTAIN,
                detail=f"{uncertain} in {times} of {', '.join(sorted(kinds))}",
            )


def _too_many_lost(inbound: Inbound, host_kills: int) -> Iterator[Offence]:
    """Judge how often messages are lost in the library's window."""
    lost = len(inbound.lost_in_window)
    if host_kills >= FEWEST_IMPACTS and lost * KILLS_PER_LOST > host_kills:
        yield Offence(breach=Breach.TOO_MANY_LOST, detail=f"{lost} in {host_kills} kills of hosts")
