"""Kinds of clusters, chosen by the environment variable CLUSTER."""

import importlib
import os
from collections.abc import Mapping
from typing import Final

from tools.cluster import settings
from tools.cluster.providers import base

PROVIDERS: Final[Mapping[str, str]] = {
    "local": "tools.cluster.providers.local:Local",
    "kind": "tools.cluster.providers.kind:Kind",
    "current": "tools.cluster.providers.current:Current",
}
DEFAULT: Final = "local"


def load(name: str) -> base.Provider:
    """Return a provider by its name.

    Raises:
        ClusterError: there is none of that name.
    """
    if name not in PROVIDERS:
        known = ", ".join(PROVIDERS)
        raise settings.ClusterError(f"CLUSTER={name} is unknown; there are: {known}")
    module, _, attribute = PROVIDERS[name].partition(":")
    provider: base.Provider = getattr(importlib.import_module(module), attribute)()
    return provider


def chosen() -> base.Provider:
    """Return the provider that CLUSTER names."""
    return load(os.environ.get("CLUSTER") or DEFAULT)
