"""What is held of bulks holds for as long as their session stays here."""

from gateway_worker.commands.deferred.held_bulks import HeldBulks

KEY = ("s", "b")


def test_a_bulk_is_held_until_that_is_taken_back() -> None:
    """Another one of the session is not."""
    held = HeldBulks({"s": 3}.get)
    held.add(KEY)
    held.forget_former()
    assert KEY in held
    assert ("s", "c") not in held

    held.discard(KEY)
    assert KEY not in held


def test_a_session_that_comes_back_is_not_held() -> None:
    """Its bulks may have been resumed elsewhere."""
    epochs = {"s": 3}
    held = HeldBulks(epochs.get)
    held.add(KEY)

    del epochs["s"]
    assert KEY not in held
    epochs["s"] = 5
    assert KEY not in held
    held.forget_former()
    epochs["s"] = 3
    assert KEY not in held, "it was forgotten"


def test_what_is_not_here_cannot_be_held() -> None:
    """Nor is it once it comes."""
    epochs: dict[str, int] = {}
    held = HeldBulks(epochs.get)
    held.add(KEY)
    epochs["s"] = 1
    assert KEY not in held
