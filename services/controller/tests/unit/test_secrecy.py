"""Which parts of an address may be shown."""

import pytest

from flagger_controller import secrecy


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://host:9090/x?y=a@b", "http://host:9090/x?y=a@b"),
        ("http://me:secret@host/x", "http://me:xxxxx@host/x"),
        ("http://:secret@host", "http://:xxxxx@host"),
        ("//me:secret@host", "//me:xxxxx@host"),
        ("http://me:secret@host:port", "http://me:xxxxx@host:port"),
        ("http://me:sec/ret@host", "http://me:xxxxx@host"),
        ("http://me:sec#@ret@host", "http://me:xxxxx@host"),
        ("http://me:secret@[", "http://me:xxxxx@["),
        ("me:sec:ret@host", "me:xxxxx@host"),
        ("http://[", "http://["),
        ("elsewhere", "elsewhere"),
        ("", ""),
    ],
)
def test_passwords_of_addresses_are_masked(address: str, shown: str) -> None:
    assert secrecy.public(address) == shown
