"""No acknowledged change is lost and no check fails open while replicas are killed (issue 7).

The long version is `make storm`.
"""

import pathlib

import pytest

from . import storm

PLAN = storm.Plan(clients=40, kill_every=150, operations=1500)
SEED = 7


@pytest.mark.timeout(600)
async def test_gates_are_right_while_replicas_are_killed(
    arguments: list[str], tmp_path: pathlib.Path
) -> None:
    with storm.running(3, arguments, tmp_path) as replicas:
        played = storm.Storm(replicas, PLAN, SEED)
        wrong = await played.run()
    assert wrong == []
    # It was a storm: servers died in the middle of requests, and the others went on.
    assert played.counts["kills"] > 0
    assert played.counts["connection errors"] > 0
    assert played.counts["acknowledged changes"] > len(played.gates)
    for answer in (True, False):
        assert any(check.approved == answer for gate in played.gates for check in gate.checks)
