"""`python -m e2e.demo`: brings up the suite, tells the story, checks it; exit code 1 if it lied."""

import contextlib
import os
import sys
import time
from typing import Final

from rich.console import Console
from tools.cluster import progress, settings

from e2e.demo import story
from e2e.demo.readings import Readings
from e2e.demo.screen import screen
from e2e.demo.stage import Stage
from e2e.demo.view import View
from e2e.suite import access, gates, history, ingress, install, kube, load, names, podinfo, wait

SITE: Final = "app.example.com"
"""As in the examples."""
LEFTOVERS: Final = (
    ("Canary", podinfo.NAME),
    ("IngressRoute", podinfo.NAME),
    ("Deployment", podinfo.NAME),
)
GENERATED: Final = (
    ("Deployment", podinfo.PRIMARY),
    ("TraefikService", podinfo.NAME),
    ("Service", podinfo.NAME),
    ("Service", podinfo.PRIMARY),
)

HINT: Final = f"""
Everything is as it was. Where to look (`python -m tools.cluster env` prints KUBECTL):
  $KUBECTL -n {names.COMPANIONS} describe canary podinfo
  $KUBECTL -n {names.COMPANIONS} get pods
  $KUBECTL -n {names.SYSTEM} logs deployment/{names.CONTROLLER}
"""
NEXT: Final = """
Everything is still there. Where to look next:

  eval "$({python} -m tools.cluster env | sed 's/^/export /')"
  $KUBECTL -n {namespace} describe canary podinfo         phases, conditions, events
  $KUBECTL -n {namespace} get canary,traefikservice,deployment,service
  $KUBECTL -n {system} logs deployment/{controller}      what the controller decided
  $KUBECTL -n {system} port-forward service/{prometheus} 9090
  curl -H 'Host: {site}' http://{host}:{port}/

A release of your own (the gate is open; close it with .../gate/close):

  $KUBECTL -n {namespace} set env deployment/podinfo PODINFO_VERSION=5.0.0 PODINFO_READY-
  $KUBECTL -n {namespace} get canary podinfo --watch

The files: e2e/demo/manifests/canary.yaml, examples/podinfo/manifests. The end: make cluster-down
"""


def clean(api: kube.Kube, reach: access.Access) -> None:
    """Remove what an earlier demo left, and close its gate."""
    namespace = names.COMPANIONS
    for kind, name in LEFTOVERS:
        api.delete(kind, name, namespace)

    def gone() -> bool:
        found = (api.find(kind, name, namespace) for kind, name in (*LEFTOVERS, *GENERATED))
        pods = api.select("Pod", namespace, labelSelector="app in (podinfo, podinfo-primary)")
        return not pods and not any(found)

    with progress.step("removing the application of an earlier demo"):
        wait.until("the earlier application is gone", gone, seconds=120)
    gates.change(reach, namespace, "close")


def play(reach: access.Access, api: kube.Kube) -> podinfo.App:
    """Tell the story."""
    app = podinfo.App(api, names.COMPANIONS, ingress.find(api), SITE)
    clean(api, reach)
    with contextlib.ExitStack() as stack:
        past = stack.enter_context(history.History(api, app.namespace))
        readings = stack.enter_context(Readings(app))
        clients = load.Load(app.address, clients=2, rate=story.OWN_RATE)
        shown = stack.enter_context(screen(View(past, clients, readings)))
        stage = Stage(reach, app, past, clients, readings, shown)
        story.bootstrap(stage)
        stack.enter_context(clients)
        mark = story.gated(stage)
        story.promoted(stage, mark)
        story.failing(stage)
        story.hanging(stage)
    return app


def main() -> int:
    """Run the demo; return its exit code."""
    begun = time.monotonic()
    try:
        reach = install.up()
        ready = time.monotonic()
        with contextlib.closing(kube.Kube(reach.kubeconfig)) as api:
            app = play(reach, api)
    except wait.Deviation as error:
        progress.say(f"\nThe demo deviated: {error}\n{HINT}")
        return 1
    except KeyboardInterrupt:
        return 130
    except (access.SuiteError, settings.ClusterError) as error:
        progress.say(f"error: {error}")
        return 1
    host, port = app.entry
    python = os.path.relpath(sys.executable, names.ROOT)
    Console(highlight=False, soft_wrap=True).print(
        NEXT.format(
            python=python,
            namespace=app.namespace,
            system=names.SYSTEM,
            controller=names.CONTROLLER,
            prometheus=names.PROMETHEUS,
            site=SITE,
            host=host,
            port=port,
        ),
        markup=False,
    )
    told, made = time.monotonic() - ready, ready - begun
    progress.say(f"All claims held. Set-up {made:.0f} s, story {told:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
