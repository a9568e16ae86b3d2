"""A session's grade: from what it is worse, when it is better again, and what one look changes."""

import pytest

from gateway_contracts import HealthGrade, HealthReason
from gateway_worker.analytics.health import Grading, Signs, judge
from gateway_worker.analytics.ports import Traffic

GOOD, FAIR, POOR = HealthGrade.GOOD, HealthGrade.FAIR, HealthGrade.POOR


def failing(number: int, *, of: int = 100) -> Signs:
    """Return signs of so many failures."""
    return Signs(traffic=Traffic(sends=of, failures=number))


@pytest.mark.parametrize(
    ("signs", "grade", "reasons"),
    [
        (Signs(traffic=Traffic()), GOOD, []),
        (failing(9), GOOD, []),
        (failing(10), FAIR, [HealthReason.FAILURES]),
        (failing(30), POOR, [HealthReason.FAILURES]),
        (failing(19, of=19), GOOD, []),
        (Signs(traffic=Traffic(sends=1, refusals=1)), FAIR, [HealthReason.REFUSALS]),
        (Signs(traffic=Traffic(sends=3, refusals=3)), POOR, [HealthReason.REFUSALS]),
        (Signs(traffic=Traffic(), silent_seconds=59), GOOD, []),
        (Signs(traffic=Traffic(), silent_seconds=121), POOR, [HealthReason.SILENCE]),
        (
            Signs(traffic=Traffic(sends=50), retry_receipts=10),
            FAIR,
            [HealthReason.RETRY_RECEIPTS],
        ),
        (Signs(traffic=Traffic(chats=19, cold_chats=19)), GOOD, []),
        (Signs(traffic=Traffic(chats=20, cold_chats=16)), POOR, [HealthReason.COLD_CHATS]),
        (
            Signs(traffic=Traffic(sends=100, failures=10, refusals=1), silent_seconds=70),
            FAIR,
            [HealthReason.REFUSALS, HealthReason.SILENCE, HealthReason.FAILURES],
        ),
        (
            Signs(traffic=Traffic(sends=100, failures=40, refusals=1)),
            POOR,
            [HealthReason.FAILURES],
        ),
    ],
)
def test_what_makes_a_grade(signs: Signs, grade: HealthGrade, reasons: list[HealthReason]) -> None:
    """The worst sign counts, and those that are as bad are the reasons."""
    assert judge(signs) == (grade, reasons)


def grades_of(*failures: int, start: HealthGrade = GOOD) -> list[HealthGrade]:
    """Return the grade after each look."""
    grading, grades = Grading(grade=start), []
    for number in failures:
        grade = grading.look(failing(number))
        if grade is not grading.grade:
            grading.settle(grade)
        grades.append(grading.grade)
    return grades


def test_one_look_changes_nothing() -> None:
    """Two that agree make it worse, as far as both say; three make it better."""
    assert grades_of(50, 0, 50, 0, 50) == [GOOD] * 5
    assert grades_of(50, 50) == [GOOD, POOR]
    assert grades_of(50, 15, 15) == [GOOD, FAIR, FAIR]
    assert grades_of(15, 15, 50, 50) == [GOOD, FAIR, FAIR, POOR]
    assert grades_of(0, 0, 0, start=POOR) == [POOR, POOR, GOOD]
    assert grades_of(0, 15, 0, start=POOR) == [POOR, POOR, FAIR]


def test_at_a_bound_it_does_not_go_to_and_fro() -> None:
    """It is better only when it is well below what has made it worse."""
    assert grades_of(11, 11, 9, 11, 9, 9, 9, 9) == [GOOD] + [FAIR] * 7
    assert grades_of(7, 7, 7, start=FAIR) == [FAIR, FAIR, GOOD]
