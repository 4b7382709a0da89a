"""The little of the Kubernetes API that the cluster tool itself needs: JSON over HTTPS."""

import pathlib
import time
from typing import Any, Self

import requests
from tools.cluster import settings

Object = dict[str, Any]
RIGHT_SECONDS = 60.0
"""Until a right is known that was given; its authorizer follows Roles by a watch."""
SECONDS = 30.0
"""The server of a sweep gets a hundred namespaces at once, and takes its time."""


class Api:
    """A session with an API server."""

    def __init__(self, url: str, ca_file: pathlib.Path, token: str) -> None:
        self.url = url
        self._session = requests.Session()
        # Proxies and certificate bundles of the environment are for the world outside.
        self._session.trust_env = False
        self._session.verify = str(ca_file)
        self._session.headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ready(self) -> bool:
        """Whether the server says that it is ready."""
        try:
            return self._session.get(self.url + "/readyz", timeout=SECONDS).status_code == 200
        except requests.RequestException:
            return False

    def get(self, path: str) -> Object:
        """Return the object at a path.

        Raises:
            requests.HTTPError: any answer but 2xx.
        """
        return self._answer(self._session.get(self.url + path, timeout=SECONDS))

    def find(self, path: str) -> Object | None:
        """Return the object at a path, or None where there is none."""
        answer = self._session.get(self.url + path, timeout=SECONDS)
        return None if answer.status_code == requests.codes.not_found else self._answer(answer)

    def create(self, path: str, body: Object) -> Object:
        """Create an object in the collection at a path."""
        return self._answer(self._session.post(self.url + path, json=body, timeout=SECONDS))

    def delete(self, path: str) -> Object:
        """Delete the object at a path."""
        return self._answer(self._session.delete(self.url + path, timeout=SECONDS))

    def patch(self, path: str, body: Object) -> Object:
        """Merge a document into the object at a path (JSON merge patch)."""
        headers = {"Content-Type": "application/merge-patch+json"}
        url = self.url + path
        return self._answer(self._session.patch(url, json=body, headers=headers, timeout=SECONDS))

    def allows(
        self, user: str, verb: str, resource: str, *, group: str = "", namespace: str = ""
    ) -> bool:
        """Whether a user may do something.

        Args:
            user: by name, without regard to groups.
            verb: such as `get`.
            resource: in the plural, with its subresource if there is one (`canaries/status`).
            group: of the resource; empty: the core.
            namespace: empty: in all of them.
        """
        plural, _, subresource = resource.partition("/")
        place = {"group": group, "resource": plural, "subresource": subresource}
        asked = {"verb": verb, "namespace": namespace, **place}
        body = {"spec": {"user": user, "resourceAttributes": asked}}
        answer = self.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", body)
        return bool(answer["status"]["allowed"])

    def await_right(
        self,
        user: str,
        verb: str,
        resource: str,
        *,
        group: str = "",
        namespace: str = "",
        allowed: bool = True,
    ) -> None:
        """Wait until the server knows of a right that was just given, or taken (see `allows`).

        Raises:
            ClusterError: it still does not.
        """
        deadline = time.monotonic() + RIGHT_SECONDS
        while self.allows(user, verb, resource, group=group, namespace=namespace) is not allowed:
            if time.monotonic() > deadline:
                raise settings.ClusterError(
                    f"{user} may {'still not' if allowed else 'still'} {verb} {resource} after "
                    f"{RIGHT_SECONDS:.0f} s; look at its Roles and their bindings"
                )
            time.sleep(0.05)

    @staticmethod
    def _answer(answer: requests.Response) -> Object:
        if not answer.ok:
            raise requests.HTTPError(f"{answer.status_code} {answer.text[:500]}", response=answer)
        body: Object = answer.json()
        return body
