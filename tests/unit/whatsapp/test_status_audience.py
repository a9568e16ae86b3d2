"""Who sees the status posts, as the account's phone is set."""

import pytest

from gateway_contracts import StatusAudience
from gateway_worker.whatsapp.convert.audience import (
    CONTACTS,
    CONTACTS_EXCEPT,
    SELECTED,
    StatusSetting,
)

ANN, BEN, EVE = "1@s.whatsapp.net", "2@s.whatsapp.net", "3@lid"
CONTACTS_OF_THE_PHONE = frozenset({ANN, BEN})


@pytest.mark.parametrize(
    ("setting", "seen_by"),
    [
        (StatusSetting(), {ANN, BEN}),
        (StatusSetting(name=CONTACTS), {ANN, BEN}),
        (StatusSetting(name=CONTACTS_EXCEPT, chosen=frozenset({BEN, EVE})), {ANN}),
        (StatusSetting(name=SELECTED, chosen=frozenset({EVE})), {EVE}),
        (StatusSetting(name=SELECTED), set()),
    ],
    ids=["never set", "contacts", "contacts except", "selected", "nobody"],
)
def test_who_sees_the_posts(setting: StatusSetting, seen_by: set[str]) -> None:
    """The setting says whether the contacts count at all."""
    assert setting.audience(lambda: CONTACTS_OF_THE_PHONE) == seen_by


def test_the_settings_are_those_of_the_contract() -> None:
    """By the same names."""
    assert {CONTACTS, CONTACTS_EXCEPT, SELECTED} == set(StatusAudience)
