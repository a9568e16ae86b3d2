"""How `gateway-worker ctl` ends."""

from typing import Final

EXIT_FAILED: Final = 1
"""It was refused, a service cannot be reached, or not all that was named is there."""
EXIT_USAGE: Final = 2
EXIT_NO_OUTCOME: Final = 4
"""No outcome came in time; it may still come."""
EXIT_UNCERTAIN: Final = 5
"""Nobody knows whether it took effect."""
