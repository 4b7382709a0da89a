"""What the demo does, step by step; it checks every claim that it makes."""

import contextlib
import dataclasses
import shlex
import time
from collections.abc import Iterator
from typing import Final

from e2e.demo.screen import Screen
from e2e.suite import access, gates, history, kube, load, names, podinfo, wait

NAMESPACE: Final = "demo"
INTERVAL: Final = "4s"
RUN_SECONDS: Final = 150.0
HEY: Final = "hey -z 25s -q 10 -c 2 -host {host} http://{ingress}.{ingress}/"

AFTERWARDS: Final = """
Everything went as announced. Where to look next:
  eval "$(.venv/bin/python -m tools.cluster env | sed 's/^/export /')"
  $KUBECTL -n {namespace} get canary podinfo -o yaml    # status, conditions, status.run
  $KUBECTL -n {namespace} describe canary podinfo       # the events you saw
  $KUBECTL -n {system} logs deploy/flagger    # what the controller decided
  docs/architecture.md, docs/state-machine.md  # how it works
  make cluster-down                            # removes everything again
"""


@dataclasses.dataclass(frozen=True)
class Stage:
    """Everything that the story needs."""

    app: podinfo.App
    past: history.History
    reach: access.Access
    screen: Screen


def clear(app: podinfo.App) -> None:
    """An empty namespace, whatever an earlier demo left."""
    if app.api.find("Namespace", NAMESPACE):
        app.api.delete("Namespace", NAMESPACE)
        wait.until(
            f"namespace {NAMESPACE} of the last demo is gone",
            lambda: app.api.find("Namespace", NAMESPACE) is None,
            seconds=180,
        )
    body: kube.Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    app.api.apply(body)


def tell(stage: Stage) -> None:
    """The whole story.

    Raises:
        Deviation: something was not as announced.
    """
    _bootstrap(stage)
    with load.Load(stage.app.address, rate=40) as clients:
        stage.screen.show(clients)
        _promoted(stage, clients)
        _rolled_back(stage, clients)
        _given_up(stage, clients)
        stage.screen.show(None)


def _bootstrap(stage: Stage) -> None:
    stage.screen.chapter("Version 1.0.0 is put under progressive delivery")
    app = stage.app
    app.deploy()
    app.route()
    url = f"http://{names.LOADTESTER}.{names.COMPANIONS}/"
    hey = HEY.format(host=app.host, ingress=names.INGRESS)
    app.canary(
        podinfo.analysis(
            interval=INTERVAL,
            threshold=2,
            stepWeight=20,
            maxWeight=60,
            metrics=[podinfo.SUCCESS, podinfo.metric("request-duration", "20s", max=500)],
            webhooks=[
                podinfo.gate("confirm-rollout"),
                podinfo.hook("rollout", url, name="load", cmd=hey),
            ],
        ),
        progressDeadlineSeconds=12,
    )
    stage.screen.say("kubectl apply: Deployment, IngressRoute, Canary (traefik, steps of 20 %)")
    app.bootstrap(stage.past)
    _claim(stage, "the primary serves 1.0.0 through Traefik", app.version() == podinfo.FIRST)
    _claim(stage, "the Deployment that people edit is at zero replicas", app.replicas() == 0)


def _promoted(stage: Stage, clients: load.Load) -> None:
    stage.screen.chapter("Version 2.0.0 waits at a closed gate, then is promoted step by step")
    app, past, begun = stage.app, stage.past, time.monotonic()
    mark = past.mark()
    _release(stage, "2.0.0")
    past.phase("Waiting", since=mark)
    _claim(stage, "nothing moves while the gate is closed", app.replicas() == 0)
    stage.screen.command(shlex.join(["kubectl", *gates.command(NAMESPACE, "/gate/open")]))
    gates.change(stage.reach, NAMESPACE, "open")
    past.phase("Succeeded", since=mark, seconds=RUN_SECONDS, never=("Failed",))
    past.told("Promotion completed!", since=mark)
    _claim(stage, "weights went 20, 40, 60 %", past.weights(mark) == [0, 20, 40, 60])
    app.serves("2.0.0")
    _claim(stage, "the primary serves 2.0.0", app.version() == "2.0.0")
    failures = clients.failures(since=begun)
    count = len(clients.answers(begun))
    _claim(stage, f"none of {count} requests failed", not failures and count > 0)


def _rolled_back(stage: Stage, clients: load.Load) -> None:
    stage.screen.chapter("Version 3.0.0 answers with 500s and is rolled back")
    app, past = stage.app, stage.past
    mark = past.mark()
    with _gate_open(stage):
        _release(stage, "3.0.0", PODINFO_FAIL="500", PODINFO_FAIL_RATE="0.5")
        past.phase("Failed", since=mark, seconds=RUN_SECONDS, never=("Promoting", "Succeeded"))
    past.told("Canary failed!", since=mark)
    texts = past.texts(mark)
    halted = any(text.startswith("Halt podinfo.demo advancement success rate") for text in texts)
    _claim(stage, "the success rate halted it, then the threshold rolled it back", halted)
    _claim(stage, "it never got more than 20 %", max(past.weights(mark)) == 20)
    quiet = past.mark()
    wait.until("a hundred answers after the rollback", lambda: len(clients.answers(quiet)) >= 100)
    _claim(stage, "after the rollback no request fails", not clients.failures(since=quiet))
    _claim(stage, "the primary still serves 2.0.0", app.version() == "2.0.0")


def _given_up(stage: Stage, clients: load.Load) -> None:
    stage.screen.chapter("Version 4.0.0 never gets ready and is given up at its deadline")
    past, begun = stage.past, time.monotonic()
    mark = past.mark()
    with _gate_open(stage):
        _release(stage, "4.0.0", PODINFO_READY="hang")
        past.phase("Failed", since=mark, seconds=RUN_SECONDS, never=("Promoting", "Succeeded"))
    past.told("Canary failed!", since=mark)
    texts = past.texts(mark)
    late = any(text.startswith("Rolling back podinfo.demo progress deadline") for text in texts)
    _claim(stage, "its progress deadline rolled it back", late)
    answers = load.versions(clients.answers(begun))
    _claim(stage, "no client ever saw 4.0.0", set(answers) == {"2.0.0"})
    _claim(stage, "no request failed", not clients.failures(since=begun))


@contextlib.contextmanager
def _gate_open(stage: Stage) -> Iterator[None]:
    """The gate stays open for a release, and is closed after it."""
    gates.change(stage.reach, NAMESPACE, "open")
    yield
    gates.change(stage.reach, NAMESPACE, "close")


def _release(stage: Stage, version: str, **faults: str) -> None:
    settings = " ".join(f"{name}={value}" for name, value in faults.items())
    text = f"kubectl -n demo set env deploy/podinfo PODINFO_VERSION={version} {settings}"
    stage.screen.command(text.strip())
    stage.app.release(version, **faults)


def _claim(stage: Stage, text: str, holds: bool) -> None:
    wait.expect(text, holds=holds)
    stage.screen.proved(text)
