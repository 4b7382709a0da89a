import pytest

from flagger_common import flags
from flagger_helmtester import settings


def test_settings_travel_through_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = settings.Settings(
        port=8080,
        log_level="info",
        zap_encoding="console",
        timeout=600.0,
        namespace_regexp="^te",
        helm_path="/opt/helm",
        home="/work",
        max_concurrency=2,
        queue_size=0,
        queue_timeout=1.5,
        allow_debug=True,
        release_namespaces="a,b",
        default_namespace="pod",
        per_namespace_concurrency=2,
        failure_status=422,
        result_cache_ttl=0.5,
        cancel_on_disconnect=True,
        legacy_types="http://loadtester.test/",
        auth_token_file="/t",
        auth_hmac_key_file="/k",
        impersonate="tests",
        jobs=True,
        verify_canary=True,
        job_templates="a-*,b",
        kube_api="https://localhost:6443",
        kube_token_file="/token",
        kube_ca_file="/ca.crt",
    )
    for name, value in flags.environ(settings.SERVICE, chosen).items():
        monkeypatch.setenv(name, value)
    assert settings.from_environ() == chosen


def test_without_an_environment_there_are_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in flags.environ(settings.SERVICE, settings.Settings()):
        monkeypatch.delenv(name, raising=False)
    assert settings.from_environ() == settings.Settings()


def test_probes_have_threads_of_their_own() -> None:
    chosen = settings.Settings(max_concurrency=3, queue_size=5)
    assert chosen.threads == 3 + 5 + settings.SPARE_THREADS
