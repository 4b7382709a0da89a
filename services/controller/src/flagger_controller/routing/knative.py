"""Knative: the traffic of the Knative Service that is the target itself (routing.md 7.14).

The canary is whatever revision is the latest, the primary the one that the target's annotation
names; the target kind sets that, here it is only read.
"""

from collections.abc import Mapping

from flagger_controller.api import knative
from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.status import Route
from flagger_controller.api.traits import Traits
from flagger_controller.cluster import resources
from flagger_controller.cluster.client import Ref
from flagger_controller.routing import base, objects
from flagger_controller.routing.base import Capabilities, Objects, RouterSettings


class Knative:
    """Weights only: no conditions, no mirror, no cookies."""

    capabilities = Capabilities()

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings

    def refs(self, canary: Canary) -> tuple[Ref, ...]:
        """The target itself."""
        return (Ref(resources.KNATIVE_SERVICES, canary.target, canary.namespace),)

    def referenced(self, canary: Canary) -> tuple[Ref, ...]:
        """None but the target."""
        return ()

    def desired(
        self, canary: Canary, traits: Traits, route: Route, live: Objects
    ) -> Mapping[Ref, Object]:
        """The Knative Service with this split; nothing before it has a primary.

        A primary without traffic is named all the same, or Knative would take its pods away. But
        Knative puts no split into force that names a revision which is not ready, with 0 percent
        either: such a primary is left out, so that the canary can take its place.
        """
        base.refuse_match(canary, "knative")
        (ref,) = self.refs(canary)
        found = live.get(ref)
        primary = knative.primary(found) if found else ""
        if found is None or not primary:
            return {}
        revision = live.get(Ref(resources.KNATIVE_REVISIONS, primary, canary.namespace))
        dead = revision is None or not knative.ready(revision)
        named = "" if route.primary == 0 and dead else primary
        return {ref: _split(found, route, named)}

    def read(self, canary: Canary, live: Objects) -> Route | None:
        """The split that was asked for; an entry that is missing has no traffic.

        After a promotion both entries mean the same revision, so they are told apart by what they
        say and not by what they resolve to (S26).
        """
        (ref,) = self.refs(canary)
        if (found := live.get(ref)) is None:
            return None
        latest = primary = 0
        for entry in objects.items(objects.spec_of(found).get("traffic")):
            if entry.get("latestRevision"):
                latest += entry.get("percent") or 0
            elif entry.get("revisionName") == knative.primary(found):
                primary += entry.get("percent") or 0
        return base.split(primary, latest)

    def settled(self, canary: Canary, live: Objects) -> str:
        """Does Knative say that the split is in force?"""
        (ref,) = self.refs(canary)
        if (found := live.get(ref)) is None:
            return ""
        if not knative.observed(found):
            return f"{ref}: its traffic is not in force: Knative has not seen the latest change yet"
        routes = knative.condition(found, "RoutesReady")
        if routes.get("status") == "True":
            return ""
        why = routes.get("message") or routes.get("reason") or "no reason given"
        return f"{ref}: its traffic is not in force: {why}"

    def reverted(self, canary: Canary, live: Objects) -> Mapping[Ref, Object]:
        """No primary any more: all traffic goes to the latest revision, as without a Canary.

        Upstream leaves the split as it is, and later revisions get no traffic for ever (S26). A
        Knative Service that has lost its mark, to upstream's revert for one, is still split.
        """
        (ref,) = self.refs(canary)
        found = live.get(ref)
        if found is None or not (knative.primary(found) or canary.status.last_promoted_spec):
            return {}
        annotations = objects.patched(
            dict(objects.annotations_of(found)), {knative.PRIMARY_REVISION: None}
        )
        metadata = objects.patched(found["metadata"], {"annotations": annotations})
        body = _split(found, Route(primary=0, canary=100), "")
        return {ref: objects.patched(body, {"metadata": metadata})}


def _split(found: Object, route: Route, primary: str) -> Object:
    """The Knative Service with these shares; users' tags on revisions stay, without traffic."""
    spec = objects.spec_of(found)
    live: list[Object] = list(objects.items(spec.get("traffic")))
    latest = next((entry for entry in live if entry.get("latestRevision")), {})
    pinned = next((entry for entry in live if entry.get("revisionName") == primary), {})
    traffic = [objects.patched(latest, {"latestRevision": True, "percent": route.canary})]
    if primary:
        owned = {"revisionName": primary, "percent": route.primary}
        traffic.append(objects.patched(pinned, owned))
    others = [entry for entry in live if entry is not latest and entry is not pinned]
    traffic += [_without_traffic(entry) for entry in others if entry.get("tag")]
    return objects.patched(found, {"spec": objects.patched(spec, {"traffic": traffic})})


def _without_traffic(entry: Object) -> Object:
    return objects.patched(entry, {"percent": 0}) if entry.get("percent") else entry
