"""What the library says of devices that it leaves out, tied to the send under way."""

import pytest

from gateway_worker.whatsapp.host.left_out import Cause, Remarks, SendRemarks

PHONE = "1081@lid"
COMPANION = "1081:3@lid"
OWN = "1099:2@lid"
NO_SESSION = "can't encrypt message for device: no signal session established with 1081_1:0"


def remarks(*lines: str) -> SendRemarks:
    """Return what was gathered of lines during a send."""
    gathered = SendRemarks()
    gathered.begin()
    for line in lines:
        gathered.log(line.encode())
    return gathered


def left_out(device: str) -> str:
    """Return the library's line about a device."""
    return f"Failed to encrypt 3EB0AA for {device}: {NO_SESSION}"


def test_devices_and_the_one_cause_of_all() -> None:
    """The query for all keys failed."""
    said = remarks(
        "Failed to fetch prekeys for [1081@lid 1081:3@lid] with no existing session: "
        "failed to send prekey request: info query returned status 429: rate-overlimit",
        left_out(PHONE),
        left_out(COMPANION),
    ).end()

    assert said.left_out == [PHONE, COMPANION]
    assert said.cause_of([PHONE]) == Cause(status=429)


def test_a_cause_of_one_device() -> None:
    """Each device may have its own, and a time to wait with it."""
    said = remarks(
        f'Failed to fetch prekey for {PHONE}: got error getting prekeys: <error code="404"/>',
        f'Failed to fetch prekey for {COMPANION}: <error backoff="9" code="429"/>',
        left_out(PHONE),
        left_out(COMPANION),
    ).end()

    assert said.causes[PHONE].status == 404
    assert said.cause_of([PHONE, COMPANION]) == Cause(status=429, retry_after_seconds=9)


def test_own_devices_are_told_apart() -> None:
    """They are nobody of the recipient's."""
    said = remarks(left_out(OWN), left_out(PHONE)).end()

    assert said.strangers(frozenset({"1099@lid"})) == [PHONE]


def test_a_device_list_that_is_out_of_date() -> None:
    """The server knows of others."""
    line = "Server returned different participant list hash (2:aa != 2:bb) when sending to 1081@lid"

    assert remarks(line).end().is_list_outdated


@pytest.mark.parametrize(
    "said",
    [
        left_out(PHONE),
        'Failed to fetch prekeys for [1081@lid] with no existing session: code="429"',
        "Server returned different participant list hash (2:aa != 2:bb)",
        "Failed to store message secret",
    ],
)
def test_what_a_message_that_arrives_is_called_says_nothing_of_one_that_is_sent(said: str) -> None:
    """Its id is its writer's to choose, and stands in what the library says of it."""
    found = remarks(f"Error decrypting message {said} from 7@lid: no session", f"Failed {said}")

    assert found.end() == Remarks()


@pytest.mark.parametrize("begun", [True, False])
def test_nothing_of_another_send(begun: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """What was said before this one, or after it, is not its own."""
    gathered = remarks(left_out(PHONE))
    gathered.end()
    gathered.log(left_out(COMPANION).encode())
    if begun:
        gathered.begin()

    assert gathered.end().left_out == []
