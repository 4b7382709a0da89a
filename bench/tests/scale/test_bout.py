"""Which requests are counted."""

import json
import pathlib
from datetime import UTC, datetime

from bench.scale.bout import counted, stamp
from tools.cluster.audit import AuditLog


def entry(number: int, verb: str, at: str, user: str = "flagger", target: str = "") -> str:
    resource, _, subresource = target.partition("/")
    event = {
        "auditID": str(number),
        "user": {"username": user},
        "verb": verb,
        "requestURI": "/api?timeout=32s",
        "objectRef": {"resource": resource, "subresource": subresource},
        "requestReceivedTimestamp": f"2026-11-27T09:11:{at}Z",
    }
    return json.dumps(event) + "\n"


def test_requests_of_one_user_up_to_a_moment_watches_aside(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "audit.log"
    path.write_text(entry(1, "get", "01.000000"))
    log = AuditLog(path)
    mark = log.mark()
    with path.open("a") as file:
        file.write(entry(2, "get", "02.000000"))
        file.write(entry(3, "patch", "03.000000", target="canaries/status"))
        file.write(entry(4, "watch", "03.100000", target="canaries"))
        file.write(entry(5, "get", "03.200000", user="flagger2"))
        file.write(entry(6, "patch", "04.500001", target="canaries/status"))
    seen = log.requests(since=mark, user="flagger")
    until = stamp(datetime(2026, 11, 27, 9, 11, 4, 500_000, tzinfo=UTC))
    assert counted(seen, until) == {"get /api": 1, "patch canaries/status": 1}
    later = stamp(datetime(2026, 11, 27, 9, 11, 5, tzinfo=UTC))
    assert counted(seen, later) == {"get /api": 1, "patch canaries/status": 2}
