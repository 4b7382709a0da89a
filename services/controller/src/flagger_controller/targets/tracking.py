"""Config tracking: the ConfigMaps and Secrets that a target's pods use (targets.md section 8).

Which are referenced, which of them count, their checksums, their `-primary` copies, and the
primary's references to the copies. Fetching them is the tick's business.
"""

import copy
import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from flagger_controller.api.base import Object
from flagger_controller.api.canary import Canary
from flagger_controller.targets import gojson, metadata
from flagger_controller.targets.base import ConfigRef, Configs, TargetSettings

CONFIG_MAP: Final = "ConfigMap"
SECRET: Final = "Secret"  # noqa: S105 (a kind)
OPT_OUT: Final = "flagger.app/config-tracking"
"""Annotation; a value that starts with `disable` keeps the object out of everything here."""
_SECRET_TYPES: Final = frozenset(
    {"Opaque", "kubernetes.io/basic-auth", "kubernetes.io/ssh-auth", "kubernetes.io/tls"}
)
_PLURALS: Final = {CONFIG_MAP: "configmaps", SECRET: "secrets"}


class _Site(NamedTuple):
    """A place in a pod spec that names a config: `holder[field]`."""

    kind: str
    holder: Object
    field: str


def references(pod: Object) -> tuple[ConfigRef, ...]:
    """The configs that a pod spec names, each once, in order of appearance.

    A config is optional only when every reference to it is (T27).
    """
    optional: dict[tuple[str, str], bool] = {}
    for site in _sites(pod):
        named = (site.kind, str(site.holder.get(site.field) or ""))
        if named[1]:
            optional[named] = optional.get(named, True) and bool(site.holder.get("optional"))
    return tuple(ConfigRef(kind, name, is_opt) for (kind, name), is_opt in optional.items())


def resolve(found: Mapping[ConfigRef, Object]) -> dict[ConfigRef, Object]:
    """Those of the configs that exist that count (8.2)."""
    return {ref: body for ref, body in found.items() if counts(ref.kind, body)}


def explained(missing: Collection[ConfigRef], namespace: str) -> str:
    """The event text about configs that are not there; empty when none is missing."""
    for ref in missing:
        return (
            f"{ref.kind.lower()} {ref.name}.{namespace} get query error: "
            f'{_PLURALS[ref.kind]} "{ref.name}" not found'
        )
    return ""


def counts(kind: str, config: Object) -> bool:
    """Is it tracked and copied? Opted-out objects and managed Secrets are not."""
    choice = metadata.entries(config.get("metadata"), "annotations").get(OPT_OUT, "")
    if choice.startswith("disable"):
        return False
    return kind != SECRET or config.get("type", "Opaque") in _SECRET_TYPES


def checksums(configs: Configs) -> dict[str, str]:
    """`status.trackedConfigs`."""
    return {key(ref): checksum(body) for ref, body in configs.items()}


def key(ref: ConfigRef) -> str:
    """`configmap/<name>` or `secret/<name>`, as `status.trackedConfigs` has it."""
    return f"{ref.kind.lower()}/{ref.name}"


def checksum(config: Object) -> str:
    """16 hex digits over the data, as upstream computes them (canary-api.md 6.4).

    `binaryData` takes part only where there is some, so that all others keep their checksum (T1).
    """
    content = gojson.encode(config.get("data"))
    if config.get("binaryData"):
        content += b"\n" + gojson.encode(config["binaryData"])
    return hashlib.sha256(content).hexdigest()[:16]


def copied(
    canary: Canary, settings: TargetSettings, ref: ConfigRef, source: Object, live: Object | None
) -> Object:
    """The `-primary` copy of a config (8.3), built on the live copy and equal to it if current.

    Annotations are not copied, neither is `immutable`: the copy must change with promotions.
    """
    body: Object = copy.deepcopy(live) if live else {"apiVersion": "v1", "kind": ref.kind}
    body["metadata"] = metadata.for_config(canary, settings, source, live)
    fields = ("data", "type") if ref.kind == SECRET else ("data", "binaryData")
    for field in fields:
        if source.get(field):
            body[field] = copy.deepcopy(source[field])
        else:
            body.pop(field, None)
    return body


def redirect(pod: Object, configs: Collection[ConfigRef]) -> None:
    """Make the references to tracked configs name their copies (8.4), in place."""
    names = {(ref.kind, ref.name) for ref in configs}
    for site in _sites(pod):
        name = site.holder.get(site.field)
        if (site.kind, name) in names:
            site.holder[site.field] = f"{name}-primary"


def _sites(pod: Object) -> Iterator[_Site]:
    for volume in pod.get("volumes") or ():
        yield from _source_sites(volume, "secretName")
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield from _source_sites(source, "name")
    for group in ("containers", "initContainers"):
        for container in pod.get(group) or ():
            yield from _container_sites(container)


def _source_sites(source: Object, secret_field: str) -> Iterator[_Site]:
    if source.get("configMap"):
        yield _Site(CONFIG_MAP, source["configMap"], "name")
    if source.get("secret"):
        yield _Site(SECRET, source["secret"], secret_field)


def _container_sites(container: Object) -> Iterator[_Site]:
    for variable in container.get("env") or ():
        yield from _either(variable.get("valueFrom") or {}, "configMapKeyRef", "secretKeyRef")
    for source in container.get("envFrom") or ():
        yield from _either(source, "configMapRef", "secretRef")


def _either(source: Object, config_map: str, secret: str) -> Iterator[_Site]:
    """One entry refers to one object; with both, upstream looks at the ConfigMap only."""
    if source.get(config_map):
        yield _Site(CONFIG_MAP, source[config_map], "name")
    elif source.get(secret):
        yield _Site(SECRET, source[secret], "name")
