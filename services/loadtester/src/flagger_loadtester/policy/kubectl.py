"""Which kubectl may run: verbs and resources of the policy file, in the payload's namespace."""

from collections.abc import Mapping, Sequence
from typing import Final

from . import kinds, options
from .kinds import Kind
from .options import SWITCH, Table
from .scope import RefusedError, Scope

_FORMATS: Final = ("json", "yaml", "wide", "name")
_TEMPLATES: Final = ("jsonpath=", "custom-columns=")


def _resource(value: str, scope: Scope) -> None:
    """Accept ``type``, ``type/name`` and ``type,type`` of listed types."""
    for each in value.partition("/")[0].split(","):
        if each not in scope.resources:
            raise RefusedError(f"resource not allowed: {each}")


def _name(value: str, scope: Scope) -> None:
    """Accept a name; with a slash it is a resource again."""
    if "/" in value:
        _resource(value, scope)


def _pod(value: str, scope: Scope) -> None:
    """Accept the source of logs, a pod unless it says otherwise."""
    _resource(value if "/" in value else f"pods/{value}", scope)


def _namespace(value: str, scope: Scope) -> None:
    if value != scope.namespace:
        raise RefusedError(f"namespace not allowed: {value} is not the canary's {scope.namespace}")


def _format(value: str, scope: Scope) -> None:
    del scope
    if value not in _FORMATS and not value.startswith(_TEMPLATES):
        raise RefusedError(f"argument not allowed: output {value}")


_OPTIONS: Final[Mapping[str, tuple[Kind, ...]]] = {
    **dict.fromkeys(("-n", "--namespace"), (_namespace,)),
    **dict.fromkeys(("-o", "--output"), (_format,)),
    **dict.fromkeys(("-l", "--selector", "--field-selector", "--sort-by"), (kinds.text,)),
    **dict.fromkeys(("--for", "-c", "--container"), (kinds.text,)),
    **dict.fromkeys(("--timeout", "--since"), (kinds.duration,)),
    **dict.fromkeys(("--tail", "--replicas", "--grace-period"), (kinds.number,)),
    **dict.fromkeys(("--no-headers", "--ignore-not-found", "--show-labels", "--wait"), SWITCH),
}

VERBS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "get": (_resource,),
    "describe": (_resource,),
    "wait": (_resource,),
    "delete": (_resource,),
    "scale": (_resource,),
    "logs": (_pod,),
    "rollout status": (_resource,),
    "rollout history": (_resource,),
    "rollout restart": (_resource,),
    "rollout undo": (_resource,),
    "rollout pause": (_resource,),
    "rollout resume": (_resource,),
}
"""What a policy can allow, and the kinds of the arguments behind it; names may follow."""


def build(words: Sequence[str], scope: Scope) -> tuple[str, ...]:
    """Return the arguments of kubectl for the words of a hook, the namespace put in front.

    Raises:
        RefusedError: something is not allowed, or the policy allows nothing.
    """
    words = words[1:] if words[:1] == ("kubectl",) else words
    length = 2 if words[:1] == ("rollout",) else 1
    verb = " ".join(words[:length])
    if not (scope.verbs and scope.resources):
        raise RefusedError("kubectl not allowed: the policy file lists no verbs and resources")
    if verb not in scope.verbs or verb not in VERBS:
        raise RefusedError(f"verb not allowed: {verb or 'none'}, the verb comes first")
    if not scope.is_name():
        raise RefusedError(f"namespace not allowed: {scope.namespace!r}")
    options.check(Table(_OPTIONS, positionals=VERBS[verb], rest=_name), words[length:], scope)
    if verb == "logs":
        _resource("pods", scope)  # whose logs they are, also behind a selector
    return ("--namespace", scope.namespace, *words)
