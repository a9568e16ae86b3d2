"""What rows of a bulk have in common is made once, and again after a while."""

from gateway_worker.commands.shared_by_rows import Share, SharedByRows


def test_rows_of_one_bulk_share_and_others_do_not() -> None:
    """Nor does another session, or the same bulk with something else."""
    kept = SharedByRows[str]()
    share = Share(kept=kept, bulk_id="b")

    share.put("uploaded", "s", "image", "a.png")

    assert share.get("s", "image", "a.png") == "uploaded"
    assert share.get("s", "image", "b.png") is None
    assert share.get("t", "image", "a.png") is None
    assert Share(kept=kept, bulk_id="c").get("s", "image", "a.png") is None


def test_it_is_made_again_after_a_while() -> None:
    """What is behind a URL changes."""
    now = 100.0
    kept = SharedByRows[str](seconds=60.0, clock=lambda: now)
    kept.put("a", "old")

    now = 159.0
    assert kept.get("a") == "old"
    now = 160.0
    assert kept.get("a") is None
    kept.put("a", "new")
    assert kept.get("a") == "new"


def test_there_are_few() -> None:
    """The one that was made first goes."""
    kept = SharedByRows[int](most=2)
    for number in range(3):
        kept.put(number, number + 1)
    assert [kept.get(number) for number in range(3)] == [None, 2, 3]
