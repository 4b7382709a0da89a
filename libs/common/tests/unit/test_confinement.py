"""The programs in front of a command that lower its limits."""

import resource
import shutil

import pytest

from flagger_common import confinement


def test_limits_are_options_of_prlimit_and_nice_is_left_out_unless_wanted() -> None:
    prlimit, nice = shutil.which("prlimit"), shutil.which("nice")
    assert confinement.prefix({"core": 0, "cpu": 7}) == (prlimit, "--core=0", "--cpu=7")
    assert confinement.prefix({"core": 0}, 5) == (prlimit, "--core=0", nice, "-n", "5")


def test_a_limit_is_never_above_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (100, 200))
    assert confinement.prefix({"nofile": 100, "fsize": 300})[1:] == ("--nofile=100", "--fsize=200")


def test_without_the_programs_that_set_limits_nothing_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(confinement.ConfinementError, match="prlimit is not installed"):
        confinement.prefix({})
