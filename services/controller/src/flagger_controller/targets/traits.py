"""Selector label and ports of a workload: what its Services need (targets.md 4 and 9.1)."""

from collections.abc import Iterator
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary, CanaryService
from flagger_controller.api.traits import Port, Selector, Traits
from flagger_controller.errors import ConfigError
from flagger_controller.targets.base import TargetSettings

_SIDECARS: Final = frozenset({"istio-proxy", "envoy"})
_DEFAULT_PORT_NAME: Final = "http"


def of(canary: Canary, workload: Object, settings: TargetSettings, kind: str) -> Traits:
    """Selector and discovered ports of a workload.

    Args:
        canary: says whether ports are discovered.
        workload: the target.
        settings: which label keys may select.
        kind: lower-case kind, for the message.

    Raises:
        ConfigError: no usable label in the selector; the text is the event.
    """
    return Traits(
        selector=selector(canary, workload, settings, kind), ports=tuple(_ports(canary, workload))
    )


def selector(canary: Canary, workload: Object, settings: TargetSettings, kind: str) -> Selector:
    """The first configured label that the workload selects its pods by.

    Raises:
        ConfigError: there is none; the text is the event.
    """
    labels = ((workload.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    for key in settings.selector_labels:
        if key in labels:
            return Selector(key, labels[key])
    raise ConfigError(
        f"getSelectorLabel failed: {kind} {canary.target}.{canary.namespace} "
        f"spec.selector.matchLabels must contain one of [{' '.join(settings.selector_labels)}]"
    )


def _ports(canary: Canary, workload: Object) -> Iterator[Port]:
    """The other container ports; a number (per protocol) and a name occur once (T19)."""
    service = canary.spec.service
    if service is None or not service.port_discovery:
        return
    taken = {(service.port, "TCP")}
    names = {service.port_name or _DEFAULT_PORT_NAME}
    for container, index, port in _container_ports(workload):
        number, protocol = int(port.get("containerPort", 0)), port.get("protocol") or "TCP"
        if _is_main(service, port) or (number, protocol) in taken:
            continue
        fallback = f"{protocol.lower()}-{container}-{index}"
        name = port.get("name") or fallback
        name = fallback if name in names else name
        taken.add((number, protocol))
        names.add(name)
        yield Port(name=name, number=number, protocol=protocol)


def _is_main(service: CanaryService, port: Object) -> bool:
    """Is it what the Service is about? That one is TCP; a name is a name in any protocol."""
    wanted = service.target_port or service.port
    number = port.get("containerPort") if (port.get("protocol") or "TCP") == "TCP" else None
    return wanted in (number, port.get("name"))


def _container_ports(workload: Object) -> Iterator[tuple[str, int, Object]]:
    for container in workload["spec"]["template"]["spec"].get("containers") or ():
        if container["name"] not in _SIDECARS:
            for index, port in enumerate(container.get("ports") or ()):
                yield container["name"], index, port
