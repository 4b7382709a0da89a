"""The chapters of the demo. Each tells what it does, does it, and checks what came of it."""

from typing import Final

from e2e.demo.readings import DURATION, SUCCESS
from e2e.demo.stage import Stage
from e2e.suite import gates, podinfo, wait

MANIFESTS: Final = "e2e/demo/manifests"
EXAMPLES: Final = "examples/podinfo/manifests"
INTERVAL: Final = 5
"""Seconds, as in manifests/canary.yaml."""
OWN_RATE: Final = 20.0
"""Requests a second of the demo's own client."""
SECONDS: Final = 240.0
"""More than any chapter takes, also on a busy machine."""


def bootstrap(stage: Stage) -> None:
    """The first revision becomes the primary."""
    app, past = stage.app, stage.past
    stage.screen.title("Bootstrap: podinfo 1.0.0 goes under control")
    for manifest in (
        f"{EXAMPLES}/deployment.yaml",
        f"{EXAMPLES}/traefik/ingressroute.yaml",
        f"{MANIFESTS}/canary.yaml",
    ):
        stage.kubectl("apply", "-f", manifest)
    past.phase("Initialized", seconds=SECONDS)
    past.told("Initialization done!", seconds=60)
    stage.check("podinfo-primary is a copy of podinfo, and ready", holds=app.ready())
    stage.check("podinfo itself is scaled to zero", holds=app.replicas() == 0)
    stage.check(
        "the TraefikService sends everything to podinfo-primary",
        holds=app.weights() == {podinfo.PRIMARY: 100},
        found=app.weights(),
    )
    app.serves(podinfo.FIRST)
    stage.check("clients get 1.0.0 through Traefik", holds=True)


def gated(stage: Stage) -> float:
    """A revision waits for a person."""
    app, past = stage.app, stage.past
    stage.screen.title("Version 2: waits at a closed gate")
    mark = stage.release("PODINFO_VERSION=2.0.0")
    past.phase("Waiting", since=mark, seconds=SECONDS, never=("Progressing", "Failed"))
    past.told("waiting for approval gate", since=mark)
    stage.screen.say("The gate is asked again at every interval; nothing happens meanwhile.")

    def waits() -> bool:
        return past.state.phase == "Waiting" and app.replicas() == 0

    wait.hold("version 2 waits", waits, seconds=2 * INTERVAL)
    stage.check("no pod of version 2 runs", holds=app.replicas() == 0)
    stage.check("clients get 1.0.0 only", holds=stage.versions(mark) == {podinfo.FIRST})
    return mark


def promoted(stage: Stage, mark: float) -> None:
    """The gate opens, traffic moves, the revision becomes the primary."""
    app, past = stage.app, stage.past
    stage.screen.title("Version 2: the gate opens, traffic moves step by step")
    status = stage.kubectl(*gates.command(app.namespace, "/gate/open"))
    stage.check("the gatekeeper accepted", holds=status == "202", found=status)
    past.told("Confirm-rollout check gate passed", since=mark)
    past.phase("Progressing", since=mark, seconds=60)
    stage.screen.say("hey loads podinfo through Traefik; every step is judged by what came back.")
    past.phase("Succeeded", since=mark, seconds=SECONDS, never=("Failed",))
    past.told("Promotion completed!", since=mark)
    weights = past.weights(mark)
    stage.check("traffic moved 0, 20, 40, 60 %", holds=weights == [0, 20, 40, 60], found=weights)
    rates, durations = stage.readings.judged(SUCCESS), stage.readings.judged(DURATION)
    stage.check("the success rate was above 99 %", holds=min(rates, default=0) > 99, found=rates)
    stage.check("p99 was below 500 ms", holds=0 < max(durations, default=0) < 0.5, found=durations)
    highest = stage.readings.highest
    stage.check(
        f"hey was there: {highest:.0f} requests a second, {OWN_RATE:.0f} of them ours",
        holds=highest > 1.5 * OWN_RATE,
    )
    stage.check("podinfo-primary runs 2.0.0", holds=app.version() == "2.0.0", found=app.version())
    stage.clients.only("2.0.0")
    stage.check("everybody gets 2.0.0", holds=True)
    stage.kubectl(
        *("-n", app.namespace, "wait", "canary/podinfo", "--for=condition=promoted"),
        "--timeout=10s",
    )
    failures = stage.failures(mark)
    count = len(stage.clients.answers(mark))
    stage.check(f"none of our {count} requests failed", holds=not failures, found=failures[:3])


def failing(stage: Stage) -> None:
    """A revision that answers with errors is rolled back."""
    past = stage.past
    stage.screen.title("Version 3: answers with 500, is rolled back")
    stage.screen.say("The gate is still open: it stays as it is until somebody closes it.")
    mark = stage.release("PODINFO_VERSION=3.0.0", "PODINFO_FAIL=500", "PODINFO_FAIL_RATE=0.5")
    never = ("Promoting", "Succeeded")
    past.phase("Failed", since=mark, seconds=SECONDS, never=never)
    past.told("Canary failed!", since=mark)
    texts = past.texts(mark)
    halted = [text for text in texts if "advancement success rate" in text]
    stage.check("the success rate was too low", holds=bool(halted), found=texts)
    rolled = [text for text in texts if "failed checks threshold reached 2" in text]
    stage.check("two failed checks were enough", holds=bool(rolled), found=texts)
    rolled_back(stage)
    failures = stage.failures(mark)
    share = 100 * len(failures) / len(stage.clients.answers(mark))
    versions = {answer.version for answer in failures}
    stage.check(
        f"only version 3 failed, {share:.0f} % of our requests meanwhile",
        holds=versions == {"3.0.0"} and share < 20,
        found=versions,
    )


def hanging(stage: Stage) -> None:
    """A revision that never becomes ready is given up, and no client notices."""
    past = stage.past
    stage.screen.title("Version 4: its readiness probe hangs, the deadline rolls it back")
    mark = stage.release(
        "PODINFO_VERSION=4.0.0", "PODINFO_FAIL-", "PODINFO_FAIL_RATE-", "PODINFO_READY=hang"
    )
    past.phase("Failed", since=mark, seconds=SECONDS, never=("Promoting", "Succeeded"))
    past.told("Canary failed!", since=mark)
    texts = past.texts(mark)
    given_up = [text for text in texts if "progress deadline exceeded" in text]
    stage.check("the deadline was exceeded", holds=bool(given_up), found=texts)
    weights = past.weights(mark)
    stage.check("it never got traffic", holds=weights == [0], found=weights)
    rolled_back(stage)
    versions = stage.versions(mark)
    stage.check("clients got 2.0.0 only", holds=versions == {"2.0.0"}, found=versions)
    failures = stage.failures(mark)
    stage.check("none of our requests failed", holds=not failures, found=failures[:3])


def rolled_back(stage: Stage) -> None:
    """Check that the last good revision serves alone."""
    app = stage.app
    stage.check(
        "all traffic is on podinfo-primary",
        holds=app.weights() == {podinfo.PRIMARY: 100},
        found=app.weights(),
    )
    stage.check("which still runs 2.0.0", holds=app.version() == "2.0.0", found=app.version())
    stage.check("podinfo is scaled to zero", holds=app.replicas() == 0)
    alone = stage.clients.only("2.0.0")
    wait.until("answers after the rollback", lambda: len(stage.clients.answers(alone)) >= 30)
    after = stage.failures(alone)
    stage.check("no request fails any more", holds=not after, found=after[:3])
