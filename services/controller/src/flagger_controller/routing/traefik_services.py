"""TraefikServices: with weights, with a cookie, and one that copies requests (routing.md 7.7)."""

from collections.abc import Sequence
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary, SessionAffinity
from flagger_controller.api.status import Route
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.routing import affinity, base, objects
from flagger_controller.routing.base import Objects

KIND: Final = resources.TRAEFIK_SERVICES.kind
OWN: Final = frozenset({"kind", "name", "namespace", "port", "weight"})
"""The members of an entry that are not about how its pods are spoken to."""


def apex_ref(canary: Canary) -> Ref:
    """The TraefikService that the user's IngressRoute refers to."""
    return Ref(resources.TRAEFIK_SERVICES, canary.apex_service, canary.namespace)


def mirror_ref(canary: Canary) -> Ref:
    """The TraefikService that copies requests."""
    return Ref(resources.TRAEFIK_SERVICES, f"{canary.apex_service}-mirror", canary.namespace)


def affinity_ref(canary: Canary) -> Ref:
    """The TraefikService that gives clients of the canary their cookie, and serves who has it."""
    return Ref(resources.TRAEFIK_SERVICES, f"{canary.apex_service}-affinity", canary.namespace)


def weighted(canary: Canary, ref: Ref, route: Route, live: Objects, stamp: objects.Stamp) -> Object:
    """A TraefikService with this split.

    A backend without traffic has no entry. Written as weight 0 upstream's way, without the key, it
    would count as 1 (S6); and one entry whose Service has no endpoints makes Traefik drop the whole
    TraefikService, also when its weight is 0.

    Beside the apex the backends are spoken to as there: Traefik knows each of them only once.

    Raises:
        ConfigError: another controller has the object.
    """
    found = objects.claimed(canary, ref, live)
    entries = {entry.get("name"): entry for entry in _entries(found)}
    sibling = _sibling(canary, found)
    manners = {} if ref == apex_ref(canary) else _manners(canary, live)
    services = [
        _on(entries.get(one["name"], sibling), manners | one)
        for one in _backends(canary, ref, route)
    ]
    members = objects.patched(_weighted(found), {"services": services})
    return objects.converged(ref, found, stamp, {"weighted": members})


def sticky(
    canary: Canary, options: SessionAffinity, route: Route, live: Objects, stamp: objects.Stamp
) -> Object:
    """A TraefikService for clients of the canary: they get a cookie, and keep it for the run.

    Without traffic for the canary it leads to the primary, and takes the cookie back.

    Raises:
        ConfigError: another controller has the object, or Traefik has no such cookie.
    """
    everybody = Route(primary=0, canary=100) if route.canary else Route()
    body = weighted(canary, affinity_ref(canary), everybody, live, stamp)
    members = _weighted(body)
    old = members.get("sticky") or {}
    cookie = objects.patched(old.get("cookie") or {}, _cookie(options, expire=route.canary == 0))
    members = objects.patched(members, {"sticky": objects.patched(old, {"cookie": cookie})})
    spec = objects.patched(objects.spec_of(body), {"weighted": members})
    return objects.patched(body, {"spec": spec})


def _cookie(options: SessionAffinity, *, expire: bool) -> Object:
    """The cookie that the options describe; its value is Traefik's.

    Raises:
        ConfigError: options that Traefik does not have.
    """
    for field, given in (
        ("primaryCookieName", options.primary_cookie_name),
        ("partitioned", options.partitioned),
    ):
        if given:
            raise ConfigError(
                f"spec.analysis.sessionAffinity.{field} cannot be served by provider traefik: "
                "remove it"
            )
    return {
        "name": options.cookie_name,
        "maxAge": -1 if expire else options.max_age or affinity.DEFAULT_MAX_AGE,
        "domain": options.domain or None,
        "path": options.path or None,
        "httpOnly": options.http_only or None,
        "secure": options.secure or None,
        "sameSite": options.same_site.lower() or None,
    }


def mirroring(canary: Canary, live: Objects, stamp: objects.Stamp) -> Object:
    """A TraefikService that answers from the primary and copies requests to the canary.

    Both are spoken to as in the apex.

    Raises:
        ConfigError: another controller has the object.
    """
    ref = mirror_ref(canary)
    found = objects.claimed(canary, ref, live)
    old = objects.spec_of(found).get("mirroring") or {}
    port = objects.service_of(canary).port
    backend = {**_manners(canary, live), "namespace": canary.namespace, "port": port}
    # Without a percentage nothing would be copied.
    percent = canary.analysis.mirror_weight or 100
    copy = backend | {"name": canary.canary_service, "percent": percent}
    copies = [objects.patched(next(iter(objects.items(old.get("mirrors"))), {}), copy)]
    primary = backend | {"name": canary.primary_service, "mirrors": copies}
    return objects.converged(ref, found, stamp, {"mirroring": objects.patched(old, primary)})


def split(canary: Canary, live: Object | None) -> Route | None:
    """The weights of our entries; a missing entry has no traffic."""
    held = affinity_ref(canary).name
    weights = {entry.get("name"): objects.weight_of(entry) for entry in _entries(live)}
    mirrored = weights.get(mirror_ref(canary).name, 0)
    return base.split(
        weights.get(canary.primary_service, 0) + mirrored,
        weights.get(canary.canary_service, 0) + weights.get(held, 0),
        mirrored=mirrored > 0,
    )


def _backends(canary: Canary, ref: Ref, route: Route) -> list[Object]:
    if route.mirrored:
        return [_nested(mirror_ref(canary), 100)]
    port = objects.service_of(canary).port
    splits = ((canary.primary_service, route.primary), (canary.canary_service, route.canary))
    entries = [
        {"name": name, "namespace": canary.namespace, "port": port, "weight": weight}
        for name, weight in splits
        if weight > 0
    ]
    if route.canary and ref == apex_ref(canary) and canary.analysis.session_affinity:
        entries[-1] = _nested(affinity_ref(canary), route.canary)
    return entries


def _nested(ref: Ref, weight: int) -> Object:
    """An entry that is a TraefikService."""
    where = {"name": ref.name, "namespace": ref.namespace}
    return {"kind": KIND, **where, "port": None, "weight": weight}


def _on(live: Object, entry: Object) -> Object:
    """An entry on the live one, or on the one that it takes the place of."""
    if live.get("kind") == KIND:
        entry = {"kind": None, **entry}
    return objects.patched(live, entry)


def _sibling(canary: Canary, live: Object | None) -> Object:
    """An entry of ours to model a new one on: both versions are spoken to alike."""
    nested = (mirror_ref(canary).name, affinity_ref(canary).name)
    names = (canary.primary_service, canary.canary_service, *nested)
    entries = {entry.get("name"): entry for entry in _entries(live)}
    return next((entries[name] for name in names if name in entries), {})


def _manners(canary: Canary, live: Objects) -> Object:
    """How the backends of the apex are spoken to: `scheme`, `serversTransport`, ..."""
    entry = _sibling(canary, live.get(apex_ref(canary)))
    return {name: value for name, value in entry.items() if name not in OWN}


def _weighted(live: Object | None) -> Object:
    return objects.spec_of(live).get("weighted") or {}


def _entries(live: Object | None) -> Sequence[Object]:
    return list(objects.items(_weighted(live).get("services")))
