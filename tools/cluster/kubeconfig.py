"""Kubeconfig files."""

import base64
import os
import pathlib
from typing import Any

import yaml


def write(path: pathlib.Path, url: str, ca_file: pathlib.Path, user: str, token: str) -> None:
    """Write a kubeconfig with everything inside it, readable by its owner only."""
    authority = base64.b64encode(ca_file.read_bytes()).decode()
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "flagger-test",
                "cluster": {"server": url, "certificate-authority-data": authority},
            }
        ],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [
            {"name": "flagger-test", "context": {"cluster": "flagger-test", "user": user}}
        ],
        "current-context": "flagger-test",
    }
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        yaml.safe_dump(document, file)
