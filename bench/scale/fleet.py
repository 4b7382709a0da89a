"""A fleet on the API server: made, released and taken away again."""

import time
import types
from typing import Final, Self

from bench.scale import objects
from bench.scale.errors import Unfinished
from bench.scale.hands import Hands
from bench.scale.objects import Member
from tools.cluster import api, progress

DELETE_SECONDS: Final = 1800.0
"""Until the namespaces of a fleet are gone; some take minutes, whatever is in them."""
POLL: Final = 1.0


class Fleet:
    """The members of a label, in namespaces of their own.

    As a context manager it makes the namespaces, and deletes them at the end with all that is in
    them. After an error that nobody has handled it leaves everything to the end of the API server.
    """

    def __init__(self, hands: Hands, label: str, size: int) -> None:
        self.label = label
        self.members = objects.members(label, size)
        self.hands = hands
        self.namespaces = list(dict.fromkeys(member.namespace for member in self.members))
        self._revision = 1

    def __enter__(self) -> Self:
        def create(client: api.Api, name: str) -> None:
            client.create("/api/v1/namespaces", {"metadata": {"name": name}})

        self.hands.each(create, self.namespaces)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        if error is None:
            self._delete()

    def deploy(self) -> None:
        """Make the applications."""

        def create(client: api.Api, member: Member) -> None:
            client.create(_deployments(member.namespace), objects.deployment(member, 1))

        self.hands.each(create, self.members)

    def available(self) -> int:
        """Count the applications whose pods are ready."""

        def count(client: api.Api, namespace: str) -> int:
            items = client.get(_deployments(namespace))["items"]
            return sum((item["status"].get("readyReplicas") or 0) > 0 for item in items)

        return sum(self.hands.each(count, self.namespaces))

    def guard(self) -> None:
        """Put all applications under Canaries."""

        def create(client: api.Api, member: Member) -> None:
            path = f"/apis/flagger.app/v1beta1/namespaces/{member.namespace}/canaries"
            client.create(path, objects.canary(member))

        self.hands.each(create, self.members)

    def push(self, members: list[Member]) -> dict[Member, float]:
        """Give members a new revision; return the moments at which each was sent off."""
        self._revision += 1

        def send(client: api.Api, member: Member) -> float:
            body = {"spec": {"template": objects.template(member, self._revision)}}
            at = time.monotonic()
            client.patch(f"{_deployments(member.namespace)}/{member.name}", body)
            return at

        return dict(zip(members, self.hands.each(send, members), strict=True))

    def _delete(self) -> None:
        def delete(client: api.Api, name: str) -> None:
            client.delete(f"/api/v1/namespaces/{name}")

        with progress.step(f"{self.label}: deleting everything") as step:
            self.hands.each(delete, self.namespaces)
            until = time.monotonic() + DELETE_SECONDS
            while left := self._left():
                step.update(f"{left} of {len(self.namespaces)} namespaces left")
                if time.monotonic() > until:
                    raise Unfinished(
                        f"{self.label}: {left} namespaces are still there {DELETE_SECONDS:.0f} s "
                        "after they were deleted; look at their conditions"
                    )
                time.sleep(POLL)

    def _left(self) -> int:
        def exists(client: api.Api, name: str) -> bool:
            return client.find(f"/api/v1/namespaces/{name}") is not None

        return sum(self.hands.each(exists, self.namespaces))


def _deployments(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"
