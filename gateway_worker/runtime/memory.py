"""How much memory processes use when what they share is divided among them."""

from pathlib import Path


def may_look(pid: int) -> bool:
    """Whether this process may read another one's memory figures; root may, as a rule."""
    try:
        with Path(f"/proc/{pid}/smaps_rollup").open():
            return True
    except OSError:
        return False


def pss_bytes(pid: int) -> int | None:
    """Return a process's proportional set size; None if it is gone or may not be looked at.

    Pages that n processes share count as one nth in each, so the sum over a fork server and its
    processes is what they use together.
    """
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        name, _, value = line.partition(":")
        if name == "Pss":
            return int(value.split()[0]) * 1024
    return None
