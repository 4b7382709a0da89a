"""A controller's own account, with a Role that a test narrows and widens."""

import json
from typing import Any, Final

from tools.cluster import kubeconfig

from .process import Controller
from .scene import Object, World

NAME: Final = "flagger"
MANAGED: Final = ("get", "list", "watch", "create", "update", "patch")
RIGHTS: Final = {
    ("flagger.app", "canaries"): ("get", "list", "watch", "update", "patch"),
    ("flagger.app", "canaries/status"): ("update", "patch"),
    ("flagger.app", "metrictemplates"): ("get", "list", "watch"),
    ("flagger.app", "alertproviders"): ("get", "list", "watch"),
    ("", "events"): ("create", "patch"),
    ("", "configmaps"): MANAGED,
    ("", "secrets"): MANAGED,
    ("", "services"): MANAGED,
    ("apps", "deployments"): MANAGED,
    ("autoscaling", "horizontalpodautoscalers"): MANAGED,
    ("policy", "poddisruptionbudgets"): (*MANAGED, "delete"),
    ("traefik.io", "traefikservices"): MANAGED,
    ("traefik.io", "ingressroutes"): MANAGED,
}
"""What the chart grants for Deployments behind Traefik."""
RBAC: Final = "rbac.authorization.k8s.io"


class Account:
    """A ServiceAccount in a namespace, with a token like that of a pod."""

    def __init__(self, world: World, namespace: str) -> None:
        self._world = world
        self._namespace = namespace
        role = {"apiGroup": RBAC, "kind": "Role", "name": NAME}
        subject = {"kind": "ServiceAccount", "name": NAME, "namespace": namespace}
        self._create("/api/v1", "serviceaccounts", {})
        self._create(f"/apis/{RBAC}/v1", "roles", {"rules": _rules({})})
        self._create(f"/apis/{RBAC}/v1", "rolebindings", {"roleRef": role, "subjects": [subject]})
        self._await("get", "", "secrets", allowed=True)

    def controller(self, *flags: str) -> Controller:
        """A controller for the namespace that works under this account."""
        path = f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{NAME}/token"
        token = self._world.api.create(path, {"spec": {}})["status"]["token"]
        plane = self._world.plane
        file = self._world.logs / f"{self._namespace}.kubeconfig"
        kubeconfig.write(file, plane.url, plane.ca_file, NAME, token)
        return self._world.controller(*flags, namespace=self._namespace, kubeconfig=file)

    def revoke(self, group: str, resource: str, *verbs: str) -> None:
        """Take verbs away, and return when the API server refuses them."""
        self._write({(group, resource): verbs})
        for verb in verbs:
            self._await(verb, group, resource, allowed=False)

    def restore(self) -> None:
        """Give everything back; it may take a moment until that is noticed."""
        self._write({})

    def _create(self, root: str, plural: str, body: Object) -> None:
        path = f"{root}/namespaces/{self._namespace}/{plural}"
        self._world.api.create(path, {"metadata": {"name": NAME}, **body})

    def _write(self, missing: dict[tuple[str, str], tuple[str, ...]]) -> None:
        path = f"/apis/{RBAC}/v1/namespaces/{self._namespace}/roles/{NAME}"
        self._world.api.patch(path, {"rules": _rules(missing)})

    def _await(self, verb: str, group: str, resource: str, *, allowed: bool) -> None:
        place = self._namespace
        self._world.api.await_right(
            user_of(place), verb, resource, group=group, namespace=place, allowed=allowed
        )


def user_of(namespace: str) -> str:
    """As whom the API server knows the account."""
    return f"system:serviceaccount:{namespace}:{NAME}"


def lines(log: str) -> list[Object]:
    """The log of a controller."""
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def _rules(missing: dict[tuple[str, str], tuple[str, ...]]) -> list[dict[str, Any]]:
    rules = []
    for (group, resource), verbs in RIGHTS.items():
        left = [verb for verb in verbs if verb not in missing.get((group, resource), ())]
        if left:
            rules.append({"apiGroups": [group], "resources": [resource], "verbs": left})
    return rules
