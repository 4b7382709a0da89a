"""Writes and cases have names by which they are found again."""

import json

import pytest

from ..faults import SWEPT, Counter, Fault, Write
from .cases import Case, Wanted, planned, steady
from .scenarios import SCENARIOS

PROMOTE = SCENARIOS["promote"]
STATUS = Write("PATCH canaries/podinfo/status", 3)
EVENT = Write("POST events/initialization-done-podinfo", 1)
SERVICE = Write("PUT services/podinfo", 1)
NAMES = (
    "promote/after/PATCH canaries/podinfo/status#3",
    "gate/conflict/POST deployments/podinfo-primary#1",
)


def body(name: str, text: str = "") -> bytes:
    return json.dumps({"metadata": {"name": name}, "message": text}).encode()


def test_writes_are_named_after_their_object() -> None:
    counter = Counter()
    apps = "/apis/apps/v1/namespaces/there/deployments"
    named = [
        counter.next("POST", apps, body("podinfo-primary")),
        counter.next("PUT", f"{apps}/podinfo-primary", b"{}"),
        counter.next("PUT", f"{apps}/podinfo-primary", b"{}"),
        counter.next("PATCH", "/apis/flagger.app/v1beta1/namespaces/n/canaries/c/status", b"{}"),
    ]
    assert [str(write) for write in named] == [
        "POST deployments/podinfo-primary#1",
        "PUT deployments/podinfo-primary#1",
        "PUT deployments/podinfo-primary#2",
        "PATCH canaries/c/status#1",
    ]


def test_events_are_named_after_what_they_say() -> None:
    counter, place = Counter(), "/api/v1/namespaces/there/events"
    text = "Advance podinfo.there canary weight 25"
    assert str(counter.next("POST", place, body("podinfo.1", text))) == (
        "POST events/advance-podinfo-canary-weight-25#1"
    )
    assert str(counter.next("PATCH", f"{place}/podinfo.1", b"{}")) == (
        "PATCH events/advance-podinfo-canary-weight-25#1"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_a_case_again(name: str) -> None:
    assert str(Case.parse(name)) == name


@pytest.mark.parametrize("name", ["promote/after/status", "promote/never/PUT services/a#1"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"status|never"):
        Case.parse(name)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("promote", True),
        ("promote/after", True),
        ("promote/after/*status#3", True),
        ("*/after", True),
        ("*/after/*", True),
        ("promote/after/PATCH canaries/podinfo/status#3", True),
        ("promote/before", False),
        ("prom", False),
        ("gate", False),
    ],
)
def test_patterns(pattern: str, matches: bool) -> None:
    assert (Case(PROMOTE, Fault.AFTER, STATUS) in Wanted([pattern])) is matches


def test_scenarios_of_patterns() -> None:
    assert Wanted().scenarios() == [*SCENARIOS.values()]
    assert Wanted(["gate/after/*", "promote"]).scenarios() == [PROMOTE, SCENARIOS["gate"]]
    with pytest.raises(ValueError, match="no scenario"):
        Wanted(["surprise"]).scenarios()


def test_every_write_has_every_fault_that_makes_sense() -> None:
    found = {str(case) for case in planned({PROMOTE: [STATUS, EVENT, SERVICE]}, Wanted())}
    assert found == {
        *(f"promote/{fault}/{STATUS}" for fault in SWEPT),
        *(f"promote/{f}/{w}" for w in (EVENT, SERVICE) for f in SWEPT if not f.of_moments),
    } - {f"promote/conflict/{EVENT}"}


def test_a_sample_has_some_of_each_fault() -> None:
    writes = [Write("PATCH canaries/podinfo/status", number) for number in range(1, 9)]
    found = planned({PROMOTE: writes}, Wanted(), sample=2)
    assert sorted(case.fault for case in found) == sorted([*SWEPT, *SWEPT])
    assert len({case.write for case in found}) > 4


def test_a_full_name_needs_no_clean_run_that_has_it() -> None:
    assert [str(case) for case in planned({PROMOTE: []}, Wanted([NAMES[0]]))] == [NAMES[0]]


def test_writes_by_chance_are_left_out() -> None:
    waiting = Write("POST events/podinfo-primary-not-ready-waiting-for-rollout", 1)
    renewal = Write("PUT leases/flagger-leader-election", 1)
    repeated = Write("PATCH events/starting-canary-analysis-for-podinfo", 1)
    once = Write("PUT services/podinfo", 2)
    one = [STATUS, waiting, renewal, repeated, SERVICE, once]
    assert steady(one, [SERVICE, STATUS, waiting, renewal, repeated]) == [STATUS, SERVICE]
