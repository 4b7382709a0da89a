"""The ports of the generated Services (routing.md section 5, targets.md 9 and 9.1)."""

from collections.abc import Mapping
from typing import Any

from flagger_controller.api.base import Object
from flagger_controller.api.canary import CanaryService
from flagger_controller.api.traits import Port, Traits
from flagger_controller.routing import objects


def ports(service: CanaryService, traits: Traits, live: list[Object]) -> list[Object]:
    """The ports on top of the live ones, so that allocated node ports are kept."""
    left = list(live)
    wanted = [_adopted(port, left) for port in _wanted_ports(service, traits)]
    return live if objects.same(sorted(live, key=_number), sorted(wanted, key=_number)) else wanted


def _adopted(wanted: Object, left: list[Object]) -> Object:
    """Build a port on the live one of its name, else of its number; each is used once."""
    by_name = [port for port in left if port.get("name", "") == wanted["name"]]
    by_number = [port for port in left if _number(port) == _number(wanted)]
    found = next(iter(by_name or by_number), None)
    if found is None:
        return objects.patched({}, wanted)
    left.remove(found)
    return objects.patched(found, wanted)


def _number(port: Mapping[str, Any]) -> tuple[int, str]:
    return int(port.get("port") or 0), str(port.get("protocol") or "TCP")


def _wanted_ports(service: CanaryService, traits: Traits) -> list[Object]:
    """The service's port, then discovered ones that clash neither in number nor in name.

    A Service with the same number and protocol, or the same name, twice is rejected by the API
    server (targets.md T19).
    """
    main: Object = {
        "name": service.port_name or "http",
        "protocol": "TCP",
        "port": service.port,
        "targetPort": service.target_port or service.port,
        "appProtocol": service.app_protocol or None,
    }
    ports = {_number(main): main}
    names = {main["name"]}
    for port in traits.ports if service.port_discovery else ():
        entry = _discovered(port, taken=names)
        if ports.setdefault(_number(entry), entry) is entry:
            names.add(entry["name"])
    return list(ports.values())


def _discovered(port: Port, *, taken: set[str]) -> Object:
    name = f"{port.protocol.lower()}-{port.number}" if port.name in taken else port.name
    return {
        "name": name,
        "protocol": port.protocol,
        "port": port.number,
        "targetPort": port.number,
        "appProtocol": None,
    }
