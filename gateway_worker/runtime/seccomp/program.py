"""Rules as the kernel takes them: a program of comparisons, for its classic packet filter.

Jumps go forward by 255 instructions at most. So each call whose arguments are looked at has a block
that ends by itself; those that are always refused are compared in a row after that.
"""

import struct
from typing import Final

from gateway_worker.runtime.seccomp.calls import Machine
from gateway_worker.runtime.seccomp.rules import OWN_PID, Check, Rules

Step = tuple[int, int, int, int]
"""An instruction: code, steps to jump over if true, if false, and a number."""

_LOAD: Final = 0x20
_AND: Final = 0x54
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_AT_LEAST: Final = 0x35
_RETURN: Final = 0x06
_NUMBER_AT: Final = 0
_ARCHITECTURE_AT: Final = 4
_ARGUMENTS_AT: Final = 16
_ARGUMENT_BYTES: Final = 8
"""Of which the lower half comes first, on both kinds of machine."""
_WORD: Final = 0xFFFF_FFFF
_FIRST_OF_X32: Final = 0x4000_0000
"""The same calls by other numbers, on x86-64."""

_ALLOW: Final = (_RETURN, 0, 0, 0x7FFF_0000)
_REFUSE: Final = (_RETURN, 0, 0, 0x0005_0001)
_MISSING: Final = (_RETURN, 0, 0, 0x0005_0026)
_KILL: Final = (_RETURN, 0, 0, 0x8000_0000)


def compiled(rules: Rules, machine: Machine, *, own_pid: int) -> bytes:
    """Return the program.

    Args:
        rules: What it refuses.
        machine: Whose numbers calls have.
        own_pid: The process that gets it.
    """
    calls = {
        machine.numbers[name]: checks
        for name, checks in rules.refused.items()
        if name in machine.numbers
    }
    steps: list[Step] = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_JUMP_IF_EQUAL, 1, 0, machine.architecture),
        _KILL,
        (_LOAD, 0, 0, _NUMBER_AT),
        (_JUMP_IF_AT_LEAST, 0, 1, _FIRST_OF_X32),
        _REFUSE,
    ]
    for number, checks in calls.items():
        if checks:
            steps += _block(number, _checked(checks, own_pid))
    for name in rules.missing:
        steps += _block(machine.numbers[name], [_MISSING])
    always = [number for number, checks in calls.items() if not checks]
    steps += [
        (_JUMP_IF_EQUAL, len(always) - place, 0, number) for place, number in enumerate(always)
    ]
    steps += [_ALLOW, _REFUSE]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _block(number: int, steps: list[Step]) -> list[Step]:
    """Return what is done for one call only."""
    return [(_JUMP_IF_EQUAL, 0, len(steps), number), *steps]


def _checked(checks: tuple[Check, ...], own_pid: int) -> list[Step]:
    steps: list[Step] = []
    for check in checks:
        steps.append((_LOAD, 0, 0, _ARGUMENTS_AT + _ARGUMENT_BYTES * check.argument))
        if check.mask != _WORD:
            steps.append((_AND, 0, 0, check.mask))
        values = [own_pid if value == OWN_PID else value for value in check.values]
        for left, value in zip(reversed(range(len(values))), values, strict=True):
            # To the refusal, which comes after the comparisons, or over it.
            if check.is_only:
                steps.append((_JUMP_IF_EQUAL, left + 1, 0, value))
            else:
                steps.append((_JUMP_IF_EQUAL, left, 0 if left else 1, value))
        steps.append(_REFUSE)
    return [*steps, _ALLOW]
