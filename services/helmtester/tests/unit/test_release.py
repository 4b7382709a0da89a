"""What Helm's own description of a release says about its tests."""

import datetime
import json
from typing import Any

import pytest

from flagger_helmtester import release
from flagger_helmtester.outcome import Test

SINCE = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def hook(name: str, phase: str, started: str, *events: str) -> dict[str, Any]:
    run = {"started_at": started, "completed_at": started, "phase": phase}
    return {"name": name, "kind": "Pod", "events": list(events) or ["test"], "last_run": run}


def test_revision_and_test_hooks_are_read() -> None:
    hooks = [
        hook("smoke", "Succeeded", ""),
        hook("old", "Succeeded", "", "test-success"),
        hook("migrate", "Succeeded", "", "pre-upgrade"),
        hook("both", "Failed", "", "post-install", "test"),
    ]
    document = {"name": "podinfo", "version": 7, "config": {"password": "x"}, "hooks": hooks}
    revision, found = release.parse(json.dumps(document))
    assert revision == 7
    assert [each["name"] for each in found] == ["smoke", "old", "both"]
    assert release.parse('{"version": 1}') == (1, [])


@pytest.mark.parametrize("document", ["", "[]", "null", '{"hooks": []}', '{"version": null}'])
def test_something_else_is_no_release(document: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        release.parse(document)


def test_only_what_ran_since_then_counts() -> None:
    hooks = [
        hook("a", "Succeeded", "2026-01-02T03:04:06.123456789Z"),
        hook("b", "Failed", "2026-01-02T05:04:06.5+02:00"),
        hook("left-out", "Succeeded", "2026-01-01T00:00:00Z"),
        hook("never", "", ""),
        {"name": "nothing", "events": ["test"]},
    ]
    assert release.tests(hooks, SINCE) == (
        Test("a", "Succeeded", "2026-01-02T03:04:06.123456789Z", "2026-01-02T03:04:06.123456789Z"),
        Test("b", "Failed", "2026-01-02T05:04:06.5+02:00", "2026-01-02T05:04:06.5+02:00"),
    )


def test_logs_are_those_of_each_test() -> None:
    output = "NAME: podinfo\n\nPOD LOGS: a\none\ntwo\n\nPOD LOGS: b\nPOD LOGS: x\nthree\n\n"
    output += "Error: 1 error occurred:\n\t* pod b failed\n"
    assert release.logs(output, ["a", "b"]) == {"a": "one\ntwo", "b": "POD LOGS: x\nthree"}
    assert release.logs("no logs", ["a"]) == {}


def test_only_the_last_lines_of_a_log_are_kept() -> None:
    assert release.tail("".join(f"{number}\n" for number in range(50))).split() == [
        str(number) for number in range(40, 50)
    ]
    assert len(release.tail("x" * 5000)) == 2000
