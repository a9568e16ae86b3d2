"""How the command `gateway-worker` ends."""

from typing import Final

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130
EXIT_CODES: Final = """\
Exit codes:

  0    done; for `run`: told to stop, and it has left in good order
  1    it failed: a service cannot be reached, a part of the worker failed, a command was refused
  2    wrong arguments or wrong configuration: starting it again changes nothing
  3    `run`: told to stop, and ended by force: it had not left DRAIN_SECONDS and 9.5 s later
  4    `ctl`: no outcome came in time; it may still come
  5    `ctl`: nobody knows whether it took effect (`uncertain`)
  130  interrupted (143 and 130 also after a second SIGTERM or SIGINT)
"""
