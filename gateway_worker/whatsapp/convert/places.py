"""Places on the map."""

import math
from typing import Any, Final

_POLE: Final = 90.0
_DATE_LINE: Final = 180.0


def on_earth(value: Any) -> tuple[float, float, bool]:
    """Return a place's latitude and longitude, and whether it is told as it is.

    Args:
        value: What has both, as the library writes it.
    """
    latitude, longitude = value.degreesLatitude, value.degreesLongitude
    if abs(latitude) <= _POLE and abs(longitude) <= _DATE_LINE:
        return latitude, longitude, True
    # Not a number is no number below another.
    return _bounded(latitude, _POLE), _bounded(longitude, _DATE_LINE), False


def _bounded(degrees: float, most: float) -> float:
    return 0.0 if math.isnan(degrees) else max(-most, min(most, degrees))
