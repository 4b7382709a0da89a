"""Two controllers of one namespace, and the Lease that they stand for.

Leases last a minute. Tests shorten a Lease whose holder cannot, so as not to wait for its end.
"""

import signal
import time
from dataclasses import dataclass

from .process import Controller
from .scene import Object, Scene

LEASE = "flagger-leader-election"
ELECTED = "-enable-leader-election"
RENEW_DEADLINE = 15.0
"""Seconds after which a leader that could not renew must not write any more."""


@dataclass
class Replicas:
    """Two controllers of one namespace, the first of which leads."""

    scene: Scene
    first: Controller
    second: Controller
    leader: str = ""
    """Identity of the first one."""
    stopped: float = 0.0
    """When the leader was stopped."""

    def lease(self) -> Object:
        """The spec of the Lease."""
        place = f"/apis/coordination.k8s.io/v1/namespaces/{self.scene.namespace}"
        body: Object = self.scene.api.find(f"{place}/leases/{LEASE}") or {"spec": {}}
        spec: Object = body["spec"]
        return spec

    def await_leader(self, other_than: str = "") -> str:
        """Wait until somebody leads; its identity."""

        def found() -> str:
            holder = str(self.lease().get("holderIdentity") or "")
            return holder if holder != other_than else ""

        self.scene.wait(found, f"a leader other than {other_than!r}")
        return found()

    def shorten_lease(self) -> None:
        """As if the minute were over soon."""
        body = {"spec": {"leaseDurationSeconds": 1}}
        self.scene.patch("coordination.k8s.io/v1", "leases", LEASE, body)

    def stop_leader(self) -> None:
        """Stop the leader in the middle of everything, until another one leads."""
        self.first.send(signal.SIGSTOP)
        self.stopped = time.monotonic()
        self.shorten_lease()
        self.await_leader(other_than=self.leader)

    def resume_leader(self) -> None:
        """Let it go on when its time is over."""
        time.sleep(max(0.0, self.stopped + RENEW_DEADLINE + 1 - time.monotonic()))
        self.first.send(signal.SIGCONT)
