"""What the goldens are checked with: the vendors' definitions, and minimal ones of ours.

`minimal/` has the kinds of vendors whose modules cannot be had here: an object a file, in which
`type: object` and `type: array` go without saying.
"""

import pathlib
from typing import Any, Final

import yaml
from tools.cluster import vendors

from flagger_controller.cluster.client import Object

MINIMAL: Final = pathlib.Path(__file__).with_name("minimal")
VENDORS: Final = ("contour", "gateway-api-experimental", "istio", "knative", "traefik")


def all_for(kinds: set[tuple[str, str]]) -> list[Object]:
    """The definitions of kinds, by API group and kind."""
    own = [_definition(yaml.safe_load(path.read_text())) for path in sorted(MINIMAL.glob("*.yaml"))]
    theirs = [body for name in VENDORS for body in vendors.definitions(name)]
    found = [body for body in (*own, *theirs) if _kind(body) in kinds]
    for body in found:
        body["metadata"].pop("annotations", None)  # they ask for a converter that is not here
        body["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, for tests"}
    return found


def _kind(body: Object) -> tuple[str, str]:
    return body["spec"]["group"], body["spec"]["names"]["kind"]


def _definition(short: Object) -> Object:
    versions = [
        _version(name, {"properties": members}, served=True)
        for name, members in short["versions"].items()
    ]
    # One version of each object is stored, and must not lose what only another version has.
    versions.append(_version("v0", {"x-kubernetes-preserve-unknown-fields": True}, served=False))
    names = {
        "kind": short["kind"],
        "listKind": f"{short['kind']}List",
        "plural": short["plural"],
        "singular": short["kind"].lower(),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{short['plural']}.{short['group']}"},
        "spec": {
            "group": short["group"],
            "scope": short.get("scope", "Namespaced"),
            "names": names,
            "versions": versions,
        },
    }


def _version(name: str, schema: Object, *, served: bool) -> Object:
    return {
        "name": name,
        "served": served,
        "storage": not served,
        "schema": {"openAPIV3Schema": _schema(schema)},
    }


def _schema(short: Any) -> Object:
    """The schema with the types that go without saying."""
    schema = dict(short)
    if "items" in schema:
        schema = {"type": "array", **schema, "items": _schema(schema["items"])}
    if "properties" in schema:
        members = {name: _schema(value) for name, value in schema["properties"].items()}
        schema = {"type": "object", **schema, "properties": members}
    if "x-kubernetes-int-or-string" not in schema:
        schema.setdefault("type", "object")
    return schema
