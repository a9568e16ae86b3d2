"""Bounds of sessions in time and number."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """For how long and how much; every session of a worker has the same.

    Attributes:
        connect_wait_seconds: How long a send waits at most for a session that is about to connect.
        qr_wait_seconds: How long `get_qr` waits for the first code.
        stranded_seconds: How long after the end of its worker's lease a session that nobody has
            taken over counts as stranded; then its commands are answered by who gets them.
        logout_seconds: How long a deletion waits for WhatsApp to unlink the device.
        restart_initial_seconds: First pause before a dead host is started again.
        restart_maximum_seconds: Longest such pause.
        first_copy_seconds: How long a newly linked session waits for the first copy of its store.
        rehearsal_seconds: How long, before a session leaves, what its handover needs may take to
            answer; it is connected meanwhile.
        quiesce_seconds: How long a session that is about to leave, and is not connected any more,
            is kept waiting for the same; then it goes on here.
        silence_seconds: When WhatsApp has sent nothing over a connection for so long it is asked
            something; 0: never.
        probe_seconds: How long its answer may take.
        reachout_hold_seconds: How long new chats are held back after WhatsApp has refused one;
            twice as long after each further refusal.
        reachout_hold_maximum_seconds: How long at most.
        remembered_sends: Sent messages whose command id is kept in memory for their receipts.
    """

    connect_wait_seconds: float = 50.0
    qr_wait_seconds: float = 10.0
    stranded_seconds: float = 30.0
    logout_seconds: float = 10.0
    restart_initial_seconds: float = 0.2
    restart_maximum_seconds: float = 60.0
    first_copy_seconds: float = 5.0
    rehearsal_seconds: float = 3.0
    quiesce_seconds: float = 1.0
    silence_seconds: float = 45.0
    probe_seconds: float = 10.0
    reachout_hold_seconds: float = 900.0
    reachout_hold_maximum_seconds: float = 86_400.0
    remembered_sends: int = 1_000
