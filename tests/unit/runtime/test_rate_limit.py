"""So often a second, so often at once, for each name and for all together."""

from gateway_worker.runtime.rate_limit import RateLimiter, TokenBucket


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_what_is_used_up_comes_back_with_time() -> None:
    clock = Clock()
    bucket = TokenBucket(per_second=2, at_once=3, clock=clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.now += 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.now += 1000
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_one_name_does_not_use_up_what_another_has() -> None:
    clock = Clock()
    limiter = RateLimiter(
        each=lambda: TokenBucket(per_second=1, at_once=1, clock=clock),
        together=TokenBucket(per_second=1, at_once=3, clock=clock),
    )
    assert [limiter.take(name) for name in ("a", "a", "b", "b")] == [True, False, True, False]


def test_whoever_makes_names_up_gets_no_more_than_all_together() -> None:
    clock = Clock()
    limiter = RateLimiter(
        each=lambda: TokenBucket(per_second=1, at_once=1, clock=clock),
        together=TokenBucket(per_second=1, at_once=3, clock=clock),
        remembered=2,
    )
    assert sum(limiter.take(str(number)) for number in range(100)) == 3
    assert len(limiter._by_name) == 2


def test_where_nobody_can_make_names_up_nobody_has_less_because_of_others() -> None:
    clock = Clock()
    limiter = RateLimiter(each=lambda: TokenBucket(per_second=1, at_once=1, clock=clock))
    assert sum(limiter.take(str(number)) for number in range(100)) == 100
    assert not limiter.take("99")
