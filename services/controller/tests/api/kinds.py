"""Installs the chart's CRDs, and those of routers' vendors without their schemas."""

import pathlib
import time
from typing import Any

import requests
import yaml

from .replay.crds import KINDS, definition

Object = dict[str, Any]
PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
CRDS = pathlib.Path(__file__).parents[4] / "charts" / "flagger" / "crds" / "crd.yaml"
SECONDS = 60.0


def ours() -> list[Object]:
    """The definitions of Canary, MetricTemplate and AlertProvider."""
    return [body for body in yaml.safe_load_all(CRDS.read_text()) if body]


def install(admin: Any) -> None:
    """Install what is missing, and return when all of it is served."""
    wanted = [*ours(), *(definition(*kind) for kind in KINDS)]
    for body in wanted:
        if admin.find(f"{PATH}/{body['metadata']['name']}") is None:
            admin.create(PATH, body)
    for body in wanted:
        await_served(admin, body)


def await_served(admin: Any, body: Object) -> None:
    """Return when objects of a kind can be listed."""
    spec = body["spec"]
    path = f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}"
    deadline = time.monotonic() + SECONDS
    while not _is_served(admin, path):
        assert time.monotonic() < deadline, f"{path} is not served"
        time.sleep(0.1)


def _is_served(admin: Any, path: str) -> bool:
    try:
        return admin.find(path) is not None
    except requests.HTTPError as error:
        if error.response is not None and error.response.status_code == 429:
            return False  # the storage of a new kind is being initialised
        raise
