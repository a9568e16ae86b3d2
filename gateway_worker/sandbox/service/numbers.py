"""Phone numbers: how else one is written, and the LID that goes with it."""

from __future__ import annotations

from typing import Final

_MOBILE_MARKS: Final = (("55", 2, "9", 8), ("52", 0, "1", 10), ("54", 0, "9", 10))
"""Country, digits of the area before the mark, the mark, digits after it."""


def other_spellings(digits: str) -> tuple[str, ...]:
    """How else a number is written: with or without a digit that marks a mobile.

    Brazil: a 9 after the area code. Mexico: a 1, Argentina: a 9 after the country's code.
    """
    for country, area_digits, mark, rest_digits in _MOBILE_MARKS:
        head = len(country) + area_digits
        if not digits.startswith(country):
            continue
        if len(digits) == head + rest_digits:
            return (digits[:head] + mark + digits[head:],)
        if len(digits) == head + 1 + rest_digits and digits[head] == mark:
            return (digits[:head] + digits[head + 1 :],)
    return ()


def derived_lid(number: str) -> str:
    """A LID for a phone number: as long as real ones, different for different numbers."""
    return f"1{int(number) * 7919 % 10**14:014d}"
