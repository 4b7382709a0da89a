import pathlib
import subprocess
import sys

import pytest

from flagger_common import flags
from flagger_gatekeeper import settings
from flagger_gatekeeper.store import memory, sqlite

LOADED = """
import sys
from flagger_gatekeeper import create_app, settings
chosen = settings.Settings(store=sys.argv[1], store_dsn=sys.argv[2], kubeconfig=sys.argv[2])
create_app(chosen, settings.open_store(chosen))
print(*sys.modules)
"""

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: x
contexts: [{name: x, context: {cluster: x, user: x}}]
clusters: [{name: x, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: x, user: {token: x}}]
"""


def test_settings_travel_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings.Settings(
        port=8080,
        log_level="info",
        zap_encoding="console",
        namespace_regexp="^te",
        store="sqlite",
        store_dsn="/data/gates.sqlite",
        store_namespace="flagger",
        kubeconfig="/config",
        default_mode="until",
        default_ttl=90.0,
        once_grace=5.0,
        audit_retention=3600.0,
        auto_reset=True,
        events=True,
        auth_mode="static",
        token_file="/tokens",
        policy_file="/policy",
        access_review=True,
        check_token_file="/check",
        trusted_proxy_cidr="10.0.0.0/8,fd00::/8",
        allow_anonymous_mutations=True,
        rate_limit=7,
    )
    for name, value in flags.environ(settings.SERVICE, chosen).items():
        monkeypatch.setenv(name, value)
    assert settings.from_environ() == chosen


def test_without_an_environment_there_are_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in flags.environ(settings.SERVICE, settings.Settings()):
        monkeypatch.delenv(name, raising=False)
    assert settings.from_environ() == settings.Settings()


def test_stores_are_chosen_by_name(tmp_path: pathlib.Path) -> None:
    opened = settings.open_store(settings.Settings(store="memory"))
    assert isinstance(opened, memory.MemoryStore)
    path = tmp_path / "gates.sqlite"
    opened = settings.open_store(settings.Settings(store="sqlite", store_dsn=str(path)))
    assert isinstance(opened, sqlite.SqliteStore)
    assert path.exists()
    with pytest.raises(ValueError, match="redis"):
        settings.open_store(settings.Settings(store="redis"))


@pytest.mark.parametrize("store", ["memory", "sqlite", "kubernetes"])
def test_only_what_is_needed_is_loaded(store: str, tmp_path: pathlib.Path) -> None:
    """The Kubernetes client costs 40 MB, its typed objects another 100."""
    path = tmp_path / "file"
    if store == "kubernetes":
        path.write_text(KUBECONFIG)
    argv = [sys.executable, "-c", LOADED, store, str(path)]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    loaded = ended.stdout.split()
    assert ("kubernetes" in loaded) is (store == "kubernetes")
    assert not [name for name in loaded if name.startswith("kubernetes.client.models.")]
    assert not [name for name in loaded if name.startswith("kubernetes.client.api.")]
