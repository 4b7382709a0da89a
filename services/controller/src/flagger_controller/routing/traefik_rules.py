"""Traefik: a user's IngressRoute once more, for some of its requests only (routing.md 9.6).

Traefik takes the matching rule with the highest priority, and counts the bytes of a rule where none
is given. It looks for an expression anywhere in a value, so ours are anchored.
"""

from collections.abc import Callable
from typing import Final

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.cluster import resources
from flagger_controller.errors import ConfigError
from flagger_controller.routing import affinity, objects
from flagger_controller.routing.conditions import Language

KIND: Final = resources.TRAEFIK_SERVICES.kind
SPEC: Final = ("entryPoints", "ingressClassName", "parentRefs", "tls")
RULE: Final = ("kind", "middlewares", "observability", "syntax")
"""Members that are copied, and that go where the user's go; so does what Traefik has later."""

AS_IS: Final = "{}"
WHOLE: Final = "^(?:{})$"
"""An expression that has to fit the whole value, as in Istio."""


def spec(canary: Canary, condition: str, service: str, user: Object, live: Object) -> Object:
    """The members of the generated IngressRoute's spec that we own.

    Args:
        canary: whose apex the rules lead to.
        condition: what requests must meet besides.
        service: the TraefikService that they then go to.
        user: the spec of the IngressRoute that `spec.routeRef` names.
        live: the spec of the generated one, or {}.

    Raises:
        ConfigError: no rule leads to the apex, or the condition cannot be added to one.
    """
    rules = [rule for rule in objects.items(user.get("routes")) if _leads_to_apex(canary, rule)]
    if not rules:
        raise ConfigError(
            f"no rule of the IngressRoute in spec.routeRef refers to the {KIND} "
            f"{canary.apex_service}: add one, or name another IngressRoute"
        )
    known = {rule.get("match"): rule for rule in objects.items(live.get("routes"))}
    built = [_tested(canary, rule, condition, service) for rule in rules]
    copied = {name: user.get(name) for name in sorted({*SPEC, *user})}
    return copied | {"routes": [_on(known.get(rule["match"], {}), rule) for rule in built]}


def _leads_to_apex(canary: Canary, rule: Object) -> bool:
    return any(_is_apex(canary, service) for service in objects.items(rule.get("services")))


def _is_apex(canary: Canary, service: Object) -> bool:
    return (
        service.get("kind") == KIND
        and service.get("name") == canary.apex_service
        and (service.get("namespace") or canary.namespace) == canary.namespace
    )


def _tested(canary: Canary, rule: Object, condition: str, service: str) -> Object:
    """A rule for the same requests that also meet the condition, just before the user's own.

    One step above the original: rules of the user that win over it go on to win over the copy.
    """
    if rule.get("syntax") == "v2":
        raise ConfigError(
            "a rule of the IngressRoute in spec.routeRef has the syntax v2: write it in v3, "
            "no condition can be added to it"
        )
    match = str(rule.get("match") or "")
    priority = int(rule.get("priority") or 0) or len(match.encode())
    services = [
        entry | {"name": service} if _is_apex(canary, entry) else entry
        for entry in objects.items(rule.get("services"))
    ]
    return {
        **{name: rule.get(name) for name in sorted({*RULE, *rule})},
        "match": f"({match}) && ({condition})",
        # Nought would mean the length again.
        "priority": priority + 1 or 1,
        "services": services,
    }


def _on(old: Object, rule: Object) -> Object:
    known = {service.get("name"): service for service in objects.items(old.get("services"))}
    services = [objects.patched(known.get(one["name"], {}), one) for one in rule["services"]]
    return objects.patched(old, rule | {"services": services})


def conditions(canary: Canary) -> str:
    """What requests under test meet.

    Raises:
        ConfigError: Traefik cannot express it.
    """
    entries = LANGUAGE.all_of(canary.analysis.match)
    texts = [" && ".join(entry) for entry in entries]
    return texts[0] if len(texts) == 1 else " || ".join(f"({text})" for text in texts)


def _call(matcher: str, pattern: str = AS_IS) -> Callable[[str, str], str]:
    """A function of Traefik's rules, with the value as it is or within an expression."""

    def write(name: str, value: str) -> str:
        text = value if pattern in (AS_IS, WHOLE) else affinity.quoted(value)
        arguments = (name, pattern.replace(AS_IS, text))
        if any("`" in argument for argument in arguments):
            raise ConfigError(
                f"spec.analysis: {name} has a backtick, which cannot be written in a rule of "
                "Traefik: use a regex with . in its place, or another name"
            )
        return f"{matcher}({', '.join(f'`{argument}`' for argument in arguments)})"

    return write


LANGUAGE: Final = Language[str](
    provider="Traefik",
    headers={
        "exact": _call("Header"),
        "regex": _call("HeaderRegexp", WHOLE),
        "prefix": _call("HeaderRegexp", "^{}"),
        "suffix": _call("HeaderRegexp", "{}$"),
    },
    query={
        "exact": _call("Query"),
        "regex": _call("QueryRegexp", WHOLE),
        "prefix": _call("QueryRegexp", "^{}"),
    },
)

_HELD: Final = _call("HeaderRegexp", r"(?:^|;\s*){}=")


def cookie(name: str) -> str:
    """The requests that carry a cookie, whatever its value: Traefik makes the value.

    Raises:
        ConfigError: the name cannot be written in a rule.
    """
    return _HELD(affinity.COOKIE, name)
