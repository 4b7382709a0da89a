"""Helm releases: installed or upgraded only when chart or values changed."""

import dataclasses
import hashlib
import json
from typing import Any, Final

from e2e.suite import access, kube, names

LABEL: Final = "flagger-e2e/digest"
"""On the Secret of a release: what it was made of."""


@dataclasses.dataclass(frozen=True)
class Release:
    """One chart with its values."""

    name: str
    namespace: str
    chart: str
    """Folder below charts/."""
    values: dict[str, Any]

    def digest(self) -> str:
        """Return what changes when the chart or the values do."""
        whole = hashlib.sha256(json.dumps(self.values, sort_keys=True).encode())
        for chart in (self.chart, "common"):
            folder = names.CHARTS / chart
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    whole.update(str(path.relative_to(folder)).encode() + path.read_bytes())
        return whole.hexdigest()[:16]


def ensure(reach: access.Access, api: kube.Kube, release: Release) -> bool:
    """Make a release what it should be; return whether anything had to be done."""
    digest = release.digest()
    secrets = api.select(
        "Secret", release.namespace, labelSelector=f"owner=helm,name={release.name}"
    )
    latest = max(secrets, key=_revision, default=None)
    labels = latest["metadata"]["labels"] if latest else {}
    if labels.get("status") == "deployed" and labels.get(LABEL) == digest:
        return False
    if latest and labels.get("status", "").startswith("pending-"):
        # A Helm that was killed; it would block all later ones.
        api.delete("Secret", latest["metadata"]["name"], release.namespace)
    reach.run(
        reach.helm,
        "upgrade",
        release.name,
        str(names.CHARTS / release.chart),
        "--install",
        "--skip-crds",
        f"--namespace={release.namespace}",
        f"--labels={LABEL}={digest}",
        "--history-max=3",
        "--values=-",
        text=json.dumps(release.values),
    )
    return True


def _revision(secret: kube.Object) -> int:
    return int(secret["metadata"]["labels"].get("version", "0"))
