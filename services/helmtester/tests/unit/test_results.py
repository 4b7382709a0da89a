from flagger_helmtester import results


def test_a_result_is_good_for_a_while() -> None:
    now = 100.0
    known: results.Results[str] = results.Results(30.0, lambda: now)
    assert known.get("key") is None
    known.put("key", "passed")
    now = 129.0
    assert known.get("key") == "passed"
    assert known.get("other") is None
    now = 130.0
    assert known.get("key") is None


def test_nothing_is_kept_without_time() -> None:
    known: results.Results[str] = results.Results(0.0, lambda: 0.0)
    known.put("key", "passed")
    assert known.get("key") is None


def test_the_oldest_goes_first() -> None:
    known: results.Results[int] = results.Results(30.0, lambda: 0.0)
    for number in range(257):
        known.put(number, number)
    assert known.get(0) is None
    assert (known.get(1), known.get(256)) == (1, 256)
