"""Objects of our three kinds as the watch delivers them."""

from typing import Any

from flagger_controller.api.base import Object


def canary(
    name: str = "cart",
    version: int = 5,
    *,
    uid: str = "u-1",
    namespace: str = "shop",
    created: str = "2026-05-01T12:00:00Z",
    target: str = "cart",
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> Object:
    """A Canary; keywords replace parts of its spec."""
    return {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "resourceVersion": str(version),
            "creationTimestamp": created,
            "labels": labels or {},
        },
        "spec": {
            "provider": "traefik",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
            "service": {"port": 80},
            "analysis": {"interval": "10s", "threshold": 2, "stepWeight": 25},
            **spec,
        },
    }


def broken(**metadata: Any) -> Object:
    """A Canary that cannot be decoded: its port is a text."""
    body = canary(**metadata)
    return {**body, "spec": {**body["spec"], "service": {"port": "http"}}}


def template(name: str = "errors", namespace: str = "shop", **spec: Any) -> Object:
    """A MetricTemplate."""
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"provider": {"type": "prometheus"}, "query": "q", **spec},
    }


def provider(name: str = "chat", namespace: str = "shop", **spec: Any) -> Object:
    """An AlertProvider."""
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": "slack", **spec},
    }
