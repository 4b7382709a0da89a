"""Capped output."""

import pytest

from flagger_common.output import Capture


@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_short_output_is_kept_as_it_is(size: int) -> None:
    capture = Capture(20)
    data = "häuser\n".encode() * 2
    for start in range(0, len(data), size):
        capture.add(data[start : start + size])
    assert capture.text() == "häuser\nhäuser\n"


@pytest.mark.parametrize("size", [1, 3, 999, 5000])
def test_of_long_output_both_ends_are_kept(size: int) -> None:
    capture = Capture(10)
    data = b"first" + b"x" * 2000 + b"final"
    for start in range(0, len(data), size):
        capture.add(data[start : start + size])
    assert capture.text() == "first\n... 2000 bytes left out ...\nfinal"


def test_bytes_that_are_no_text_are_replaced() -> None:
    capture = Capture(10)
    capture.add(b"a\xff")
    assert capture.text() == "a\ufffd"
