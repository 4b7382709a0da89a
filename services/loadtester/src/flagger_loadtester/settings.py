"""The settings of the load tester; flags and variables are declared in `cli`."""

import dataclasses
import math
import pathlib
from collections.abc import Mapping
from typing import Final

from flagger_common import callers, cluster, declared, serving

from .policy.scope import Scope
from .runner import Limits

_SPARE_THREADS: Final = 8
"""Threads that blocking tasks cannot take: probes and gates must be answered meanwhile."""
_KILL_MARGIN: Final = 15
"""Seconds between the end of draining and the server's own kill; covers `run.GRACE`."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the operator chose (loadtester.md section 1)."""

    port: int = 9090
    """TCP port; charts pass 8080."""

    log_level: str = "debug"
    """See `flagger_common.logs.level`."""

    timeout: float = 3600.0
    """Limit of one task in seconds, blocking or not."""

    namespace_regexp: str = ""
    """Which payload namespaces are served; empty means all."""

    zap_encoding: str = "json"
    """Log encoding, ``json`` or ``console``; upstream's name."""

    zap_replace_globals: bool = False
    """Accepted for upstream's sake, no effect."""

    address: str = ""
    """Address to listen on; empty means all interfaces."""

    namespace_anchored: bool = False
    """Whether ``namespace_regexp`` must match the whole name. Upstream searches, so false."""

    threads: int = 72
    """Requests handled at once; blocking tasks may take all but eight of them."""

    max_background: int = 256
    """Tasks running in the background at once; more wait in the queue. 0: none are taken."""

    max_output: int = 65536
    """Bytes of output kept per task; the middle of a longer one is cut out."""

    max_body: int = 262144
    """Largest request body in bytes; a larger one gets 413."""

    shutdown_timeout: float = 60.0
    """Seconds that blocking tasks may go on after SIGTERM; then they are killed."""

    queue_size: int = 64
    """Background tasks that wait for a place; more get 429."""

    max_per_namespace: int = 0
    """Tasks of one namespace at once, blocking or not; 0 means no limit of its own."""

    history: int = 200
    """Ended tasks that the API remembers."""

    compat: bool = False
    """Whether commands run as upstream runs them: in a shell, without rules."""

    allowed_commands: str = "hey,wrk,ghz,k6,bats,grpc_health_probe,curl,grep,jq"
    """Programs that strict mode may run, with commas between them."""

    files: str = "/tests,/acceptance,/scripts,/usr/local/share/ghz"
    """Files and directories of tests that programs may be pointed to, with commas."""

    policy_file: str = ""
    """YAML with exceptions by namespace, see `policy.document`; empty means none."""

    allow_shell: bool = False
    """Whether strict mode may use a shell, in the namespaces that the policy file says."""

    max_duration: float = 0.0
    """Longest load test in seconds; 0 means ``timeout``."""

    max_concurrency: int = 200
    """Most workers of a load test."""

    max_requests: int = 0
    """Most requests of a load test that counts them; 0 is without limit."""

    own_namespace: str = ""
    """Where this process lives; empty means unknown."""

    auth_token_file: str = ""
    """File of tokens that callers have to show; empty means none."""

    auth_hmac_key_file: str = ""
    """File with the key that payloads are signed with; empty means none."""

    verify_canary: bool = False
    """Whether only tasks run that a webhook of the named Canary lists, see `declared`."""

    kube_api: str = ""
    """URL of the API server with the Canaries; empty: that of the pod, if any."""

    kube_token_file: str = str(cluster.ACCOUNT / "token")
    """Its token."""

    kube_ca_file: str = ""
    """Who signs its certificate, where ``kube_api`` is set; empty: those the system trusts."""

    locust_master: str = ""
    """URL of a Locust master's web API, which runs all Locust tests; empty for headless ones."""

    allow_inline_locustfile: bool = False
    """Whether hooks may bring locustfiles: they are code, which runs in this container."""

    def scope(self) -> Scope:
        """Return what strict mode allows everywhere."""
        return Scope(
            namespace="",
            own_namespace=self.own_namespace,
            files=tuple(pathlib.Path(each) for each in _listed(self.files)),
            duration=self.max_duration or self.timeout,
            concurrency=self.max_concurrency,
            requests=self.max_requests,
            commands=frozenset(_listed(self.allowed_commands)),
            shell=self.allow_shell,
        )

    def callers(self) -> callers.Callers:
        """Return whose payloads are taken."""
        return callers.Callers(_path(self.auth_token_file), _path(self.auth_hmac_key_file))

    def verify(self, environ: Mapping[str, str]) -> declared.Verify:
        """Return what tells payloads that are a Canary's own from others.

        Args:
            environ: of the process; Kubernetes puts the API server's address there.

        Raises:
            ValueError: the API server is needed and not known.
        """
        if not self.verify_canary:
            return declared.believe
        files = self.kube_token_file, self.kube_ca_file
        return declared.verifier(cluster.connect(self.kube_api, *files, environ))

    def limits(self) -> Limits:
        """Return what the runner has to enforce."""
        return Limits(
            timeout=self.timeout,
            max_output=self.max_output,
            max_blocking=max(1, self.threads - _SPARE_THREADS),
            max_background=self.max_background,
            drain=self.shutdown_timeout,
            max_per_namespace=self.max_per_namespace,
            queue_size=self.queue_size,
            history=self.history,
            join=not self.compat,
        )

    def server(self) -> serving.Server:
        """Return how gunicorn is started."""
        return serving.Server(
            app="flagger_loadtester.wsgi:app",
            port=self.port,
            address=self.address,
            threads=self.threads,
            graceful_seconds=math.ceil(self.shutdown_timeout) + _KILL_MARGIN,
            log_level=self.log_level,
            log_encoding=self.zap_encoding,
        )


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _path(text: str) -> pathlib.Path | None:
    return pathlib.Path(text) if text else None
