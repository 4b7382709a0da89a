from flagger_gatekeeper import rates


def test_a_burst_and_then_the_rate() -> None:
    bucket = rates.Bucket(rate=2, burst=3)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(100.4), bucket.take(100.5), bucket.take(100.9)] == [False, True, False]
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]


def test_a_clock_that_stumbles_gives_nothing_away() -> None:
    bucket = rates.Bucket(rate=1, burst=1)
    assert bucket.take(100.0)
    assert not bucket.take(50.0)
    assert not bucket.take(100.5)
    assert bucket.take(101.0)
