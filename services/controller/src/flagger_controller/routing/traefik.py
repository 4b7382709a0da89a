"""Traefik: a weighted TraefikService that the user's IngressRoute refers to (routing.md 7.7).

With conditions the user's IngressRoute is copied for the requests that meet them (9.6, see
`traefik_rules.py`), and a second TraefikService has the split; the one with the apex name then has
everything on the primary. With session affinity it is copied for the requests that have the cookie,
and another TraefikService gives and serves the cookie. One more copies requests to the canary.
"""

from collections.abc import Mapping

from flagger_controller.api import ownership
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.errors import ConfigError
from flagger_controller.rollout.case import ACTIVE
from flagger_controller.routing import objects, traefik_rules, traefik_services
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings


class Traefik:
    """Weights, mirror with percentage; conditions and cookies beside an IngressRoute."""

    capabilities = Capabilities(match=True, mirror=True, mirror_weight=True, session_affinity=True)

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """Mirror; what our rules lead to, the rules and the user's; last the apex."""
        mirror = (traefik_services.mirror_ref(canary),) if canary.analysis.mirror else ()
        behind = (_split(canary), traefik_services.affinity_ref(canary))
        return (*mirror, *behind, *_rules(canary), traefik_services.apex_ref(canary))

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """The IngressRoute of the user, which only an A/B test needs."""
        return _rules(canary)[1:] if canary.analysis.match else ()

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """The TraefikServices for this split, and the rules for conditions or a cookie.

        Conditions win over cookies, as with other providers.

        Raises:
            ConfigError: an object belongs to another controller, or Traefik cannot express what
                the Canary asks for.
        """
        apex, affinity = traefik_services.apex_ref(canary), traefik_services.affinity_ref(canary)
        split, cookies = _split(canary), canary.analysis.session_affinity
        stamp = objects.apex_stamp(canary, traits, self._settings)
        result: dict[Ref, Object] = {}
        if canary.analysis.mirror:
            mirror = traefik_services.mirror_ref(canary)
            result[mirror] = traefik_services.mirroring(canary, live, stamp)
        if canary.analysis.match:
            result[split] = traefik_services.weighted(canary, split, route, live, stamp)
            rules = _named_rules(canary, "match")
            result |= self._copied(canary, live, rules, traefik_rules.conditions(canary), split)
            route = Route()
        elif cookies:
            result[affinity] = traefik_services.sticky(canary, cookies, route, live, stamp)
            rules = _named_rules(canary, "sessionAffinity")
            condition = traefik_rules.cookie(cookies.cookie_name)
            result |= self._copied(canary, live, rules, condition, affinity)
        result |= _ended(canary, live, stamp, result)
        result[apex] = traefik_services.weighted(canary, apex, route, live, stamp)
        return result

    def _copied(
        self,
        canary: Canary,
        live: Objects,
        rules: tuple[Ref, ...],
        condition: str,
        service: Ref,
    ) -> Mapping[Ref, Object]:
        """Rules for requests that meet a condition; the user's IngressRoute is never changed.

        Traefik may select by label, and by the annotation of a class. A run whose IngressRoute
        vanishes keeps the rules that it has: the split behind them still follows, and a rollback
        takes their requests to the primary.
        """
        ref, source = rules
        found = objects.claimed(canary, ref, live)
        if (user := live.get(source)) is None:
            if canary.status.phase in ACTIVE:
                return {ref: found} if found else {}
            raise ConfigError(f"{source} does not exist: correct spec.routeRef, or create it")
        spec = traefik_rules.spec(
            canary, condition, service.name, objects.spec_of(user), objects.spec_of(found)
        )
        annotations = {**objects.annotations_of(user), **objects.HANDS_OFF}
        stamp = objects.Stamp(
            labels=user["metadata"].get("labels") or {},
            annotations={k: v for k, v in annotations.items() if k != objects.LAST_APPLIED},
            owner=canary.owner_reference if self._settings.own_references else None,
        )
        return {ref: objects.converged(ref, found, stamp, spec)}

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The weights of our entries; a missing entry has no traffic."""
        ref = _split(canary) if canary.analysis.match else traefik_services.apex_ref(canary)
        return traefik_services.split(canary, live.get(ref))

    def settled(self, canary: Canary, live: Objects) -> str:
        """Always: Traefik reports nothing about the objects it reads."""
        return ""

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """Nothing: objects that we created go away with the Canary (routing.md section 8)."""
        return {}


def _split(canary: Canary) -> Ref:
    """Where tested requests go; the name does not depend on `routeRef`, which may vanish."""
    return Ref(resources.TRAEFIK_SERVICES, canary.canary_service, canary.namespace)


def _rules(canary: Canary) -> tuple[Ref, ...]:
    """The generated IngressRoute and the user's; none without a reference to one."""
    named = canary.spec.route_ref
    if named is None or named.kind != resources.INGRESS_ROUTES.kind:
        return ()
    name = f"{named.name}-{canary.apex_service}-canary"
    return (
        Ref(resources.INGRESS_ROUTES, name, canary.namespace),
        Ref(resources.INGRESS_ROUTES, named.name, canary.namespace),
    )


def _named_rules(canary: Canary, field: str) -> tuple[Ref, ...]:
    """The same, where they are needed.

    Raises:
        ConfigError: the Canary names no IngressRoute.
    """
    rules = _rules(canary)
    if not rules:
        raise ConfigError(
            f"spec.analysis.{field} needs the IngressRoute whose rules refer to the apex: set "
            "spec.routeRef to its apiVersion traefik.io/v1alpha1, kind IngressRoute and name"
        )
    return rules


def _ended(
    canary: Canary, live: Objects, stamp: objects.Stamp, used: Mapping[Ref, Object]
) -> Mapping[Ref, Object]:
    """What is left of conditions or cookies that were removed: no rules, and no split."""
    result: dict[Ref, Object] = {}
    behind = (_split(canary), traefik_services.affinity_ref(canary))
    for ref in (*behind, *_rules(canary)[:1]):
        found = live.get(ref)
        if ref in used or found is None or not ownership.is_ours(canary, found):
            continue
        if ref.resource == resources.TRAEFIK_SERVICES:
            result[ref] = traefik_services.weighted(canary, ref, Route(), live, stamp)
        else:
            spec = objects.patched(objects.spec_of(found), {"routes": []})
            result[ref] = objects.patched(found, {"spec": spec})
    return result
