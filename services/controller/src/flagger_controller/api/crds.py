"""The CRDs of our three kinds, generated from the typed models.

Not imported by the controller: `tools/crds.py` writes them into the file that the chart installs.
"""

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from flagger_controller.api import schema, schema_facts
from flagger_controller.api.alertprovider import AlertProvider
from flagger_controller.api.base import GROUP, VERSION, Object
from flagger_controller.api.canary import Canary
from flagger_controller.api.metrictemplate import MetricTemplate

_META: Final = {
    "apiVersion": {"type": "string", "description": "Version of this representation."},
    "kind": {"type": "string", "description": "Kind of this object."},
    "metadata": {"type": "object"},
}


@dataclass(frozen=True)
class Kind:
    """What makes a model a resource of the API server."""

    model: type[BaseModel]
    plural: str
    description: str
    facts: schema.Facts
    columns: tuple[tuple[str, str, str, int], ...]
    """Name, type, JSON path and priority (0: always shown, 1: with `-o wide`)."""
    short_names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """`Canary`, `MetricTemplate`, `AlertProvider`."""
        return self.model.__name__


_AGE: Final = ("Age", "date", ".metadata.creationTimestamp", 0)

KINDS: Final = (
    Kind(
        model=Canary,
        plural="canaries",
        description="The release of a workload's new revisions.",
        facts=schema_facts.CANARY,
        columns=(
            ("Status", "string", ".status.phase", 0),
            ("Weight", "string", ".status.canaryWeight", 0),
            ("Suspended", "boolean", ".spec.suspend", 1),
            ("FailedChecks", "string", ".status.failedChecks", 1),
            ("Interval", "string", ".spec.analysis.interval", 1),
            ("Mirror", "boolean", ".spec.analysis.mirror", 1),
            ("StepWeight", "string", ".spec.analysis.stepWeight", 1),
            ("StepWeights", "string", ".spec.analysis.stepWeights", 1),
            ("MaxWeight", "string", ".spec.analysis.maxWeight", 1),
            ("LastTransitionTime", "string", ".status.lastTransitionTime", 0),
            _AGE,
        ),
        short_names=("cn",),
    ),
    Kind(
        model=MetricTemplate,
        plural="metrictemplates",
        description="A metric query that many canaries use.",
        facts=schema_facts.METRIC_TEMPLATE,
        columns=(("Provider", "string", ".spec.provider.type", 0), _AGE),
    ),
    Kind(
        model=AlertProvider,
        plural="alertproviders",
        description="A channel for alerts.",
        facts=schema_facts.ALERT_PROVIDER,
        columns=(("Type", "string", ".spec.type", 0), _AGE),
    ),
)


def definitions() -> list[Object]:
    """The three CustomResourceDefinitions."""
    return [definition(kind) for kind in KINDS]


def definition(kind: Kind) -> Object:
    """One CustomResourceDefinition, served and stored in its only version."""
    singular = kind.name.lower()
    names: Object = {
        "kind": kind.name,
        "listKind": f"{kind.name}List",
        "plural": kind.plural,
        "singular": singular,
        "categories": ["all"],
    }
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(*column) for column in kind.columns],
        "schema": {"openAPIV3Schema": open_api(kind)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{GROUP}",
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def open_api(kind: Kind) -> Object:
    """The structural schema of a kind; `metadata` is the API server's own business."""
    model = schema.of(kind.model)
    properties = {name: part for name, part in model["properties"].items() if name != "metadata"}
    described = schema.apply(model | {"properties": properties}, kind.facts)
    return {
        "description": kind.description,
        "type": "object",
        "required": ["spec"],
        "properties": {**_META, **described["properties"]},
    }


def _column(name: str, kind: str, path: str, priority: int) -> Object:
    column: Object = {"name": name, "type": kind, "jsonPath": path}
    return column | ({"priority": priority} if priority else {})
