"""Releases that are played on more than one data plane: what clients get, counted at a client."""

from typing import Any

import yaml

from e2e.suite import access, gates, history, kube, load, names, podinfo, visitor, wait

CANARY = f"{podinfo.NAME}-canary"
SECOND = "2.0.0"
INSIDER = {"X-Canary": "insider"}
MATCH = [{"headers": {"x-canary": {"exact": "insider"}}}]
RATE = "podinfo-success-rate"
METRICS = [
    {"name": RATE, "templateRef": {"name": RATE}, "interval": "20s", "thresholdRange": {"min": 99}}
]
"""What podinfo itself reports; `templates` makes the template."""
BUILT_IN = [podinfo.SUCCESS, podinfo.metric("request-duration", "20s", max=60_000)]
"""What the data plane reports: that there are values, for a minute is no limit."""
PERCENT = 20
TOLERANCE = 4
REQUESTS = 1200
COPIED = 200
SLACK = 35
"""Five standard deviations of half of so many copies, which are drawn by lot."""
COOKIE = "podinfo-canary"
VISITORS = 30
VISITS = 10


def templates(app: podinfo.App) -> None:
    """Create the examples' metric templates: queries of what podinfo itself reports."""
    text = names.PODINFO.joinpath("gatewayapi", "metrics.yaml").read_text()
    for body in yaml.safe_load_all(text):
        body["metadata"]["namespace"] = app.namespace
        app.api.apply(body)


def by_header(app: podinfo.App, past: history.History, **spec: Any) -> float:
    """Insiders get the new version, the public the old one until the end; return the start."""
    templates(app)
    app.deploy()
    app.canary(podinfo.analysis(iterations=3, match=MATCH, metrics=METRICS), **spec)
    app.bootstrap(past)
    with (
        load.Load(app.address, rate=50) as public,
        load.Load(app.address, rate=50, headers=INSIDER) as insiders,
    ):
        mark = past.mark()
        app.release(SECOND)
        past.told("canary iteration 2/3", since=mark, seconds=240)
        tested = past.mark()
        assert {answer.version for answer in public.answers(mark, tested)} == {podinfo.FIRST}
        assert {answer.version for answer in insiders.answers(mark)[-20:]} == {SECOND}
        podinfo.promoted(past, mark)
        app.serves(SECOND)
    assert public.failures() == []
    assert insiders.failures() == []
    assert app.version() == SECOND
    return mark


def by_weight(
    app: podinfo.App,
    past: history.History,
    reach: access.Access,
    metrics: list[kube.Object],
    **spec: Any,
) -> None:
    """A share of the answers is the canary's, and the release is promoted without a failure.

    The run stands at its only weight for as long as its promotion gate is closed.
    """
    app.deploy()
    webhooks = [podinfo.gate("confirm-promotion")]
    wanted = podinfo.analysis(stepWeights=[PERCENT], metrics=metrics, webhooks=webhooks)
    app.canary(wanted, **spec)
    app.bootstrap(past)
    with load.Load(app.address, rate=200) as clients:
        mark = past.mark()
        app.release(SECOND)
        past.phase("WaitingPromotion", since=mark, seconds=240, never=("Failed",))
        wait.until("the canary answers", lambda: load.versions(clients.answers())[SECOND])
        during = counted(past, clients)
        assert (past.state.phase, past.state.weight) == ("WaitingPromotion", PERCENT)
        gates.change(reach, app.namespace, "open")
        podinfo.promoted(past, mark)
        clients.only(SECOND)
    assert abs(load.share(during, SECOND) - PERCENT) <= TOLERANCE
    assert set(load.versions(during)) == {podinfo.FIRST, SECOND}
    assert clients.failures() == []
    assert past.weights(mark) == [0, PERCENT]
    assert app.version() == SECOND


def counted(past: history.History, clients: load.Load) -> list[load.Answer]:
    """Return what clients got from now on, more than a thousand answers."""
    begun = past.mark()
    wait.until(
        "enough requests", lambda: len(clients.answers(begun)) >= REQUESTS, seconds=300, pause=0.5
    )
    return clients.answers(begun, past.mark())


def rolled_back(
    app: podinfo.App, past: history.History, metrics: list[kube.Object], **spec: Any
) -> None:
    """A version that fails is rolled back; nobody who got the primary noticed anything."""
    app.deploy()
    app.canary(podinfo.analysis(stepWeights=[20, 50], threshold=2, metrics=metrics), **spec)
    app.bootstrap(past)
    with load.Load(app.address) as clients:
        mark = past.mark()
        app.release(SECOND, PODINFO_FAIL="500", PODINFO_FAIL_RATE="0.5")
        podinfo.rolled_back(past, mark)
        since = clients.only(podinfo.FIRST)
        wait.until("a hundred answers after it", lambda: len(clients.answers(since)) >= 100)
    assert {(a.status, a.version) for a in clients.failures()} == {(500, SECOND)}
    assert clients.failures(since) == []
    assert app.version() == podinfo.FIRST
    assert app.replicas() == 0


def mirrored(
    app: podinfo.App,
    past: history.History,
    reach: access.Access,
    percent: int = 100,
    **spec: Any,
) -> None:
    """The canary gets its part of copies, all or about half; clients only the primary's answers.

    The run mirrors for as long as its promotion gate is closed.
    """
    app.deploy()
    webhooks = [podinfo.gate("confirm-promotion")]
    wanted = podinfo.analysis(
        iterations=1, mirror=True, mirrorWeight=percent, metrics=(), webhooks=webhooks
    )
    app.canary(wanted, **spec)
    app.bootstrap(past)
    mark = past.mark()
    app.release(SECOND)
    past.phase("WaitingPromotion", since=mark, seconds=240, never=("Failed",))
    person = visitor.Visitor(app.address)
    wait.until("the first copy", lambda: copied(app, person))
    before = steady(app)
    person.ask(COPIED)
    slack = SLACK if percent < 100 else 0
    copies = before + COPIED * percent // 100
    wait.until("the copies", lambda: app.answered() >= copies - slack)
    assert abs(steady(app) - copies) <= slack
    assert set(person.versions) == {podinfo.FIRST}
    with load.Load(app.address, rate=50) as clients:
        gates.change(reach, app.namespace, "open")
        podinfo.promoted(past, mark)
        clients.only(SECOND)
    assert clients.failures() == []
    assert "Stop traffic mirroring and route all traffic to canary" in past.texts(mark)


def copied(app: podinfo.App, person: visitor.Visitor) -> bool:
    """Let somebody come once; tell whether the canary has had any copy yet."""
    person.ask()
    return app.answered() > 0


def steady(app: podinfo.App) -> int:
    """Return how many requests the canary has answered, when no more are under way."""
    seen = [-1]

    def unchanged() -> bool:
        seen.append(app.answered())
        return seen[-1] == seen[-2]

    wait.until("no copies are under way", unchanged, pause=2.0)
    return seen[-1]


def sticky(
    app: podinfo.App,
    past: history.History,
    reach: access.Access,
    primary: str = "",
    **spec: Any,
) -> None:
    """Who once got the canary stays with it, until the release is over and the cookie expired.

    So does who once got the primary, with a name for a cookie of theirs. The run stands at 50 % for
    as long as its promotion gate is closed.
    """
    app.deploy()
    webhooks = [podinfo.gate("confirm-promotion")]
    affinity: kube.Object = {"cookieName": COOKIE, "maxAge": 3600}
    if primary:
        affinity["primaryCookieName"] = primary
    wanted = podinfo.analysis(
        stepWeights=[50], metrics=(), webhooks=webhooks, sessionAffinity=affinity
    )
    app.canary(wanted, **spec)
    app.bootstrap(past)
    mark = past.mark()
    app.release(SECOND)
    past.phase("WaitingPromotion", since=mark, seconds=240, never=("Failed",))
    wait.until("the canary answers", lambda: newcomer(app).versions == [SECOND])
    people = [newcomer(app) for _ in range(VISITORS)]
    first = {person.versions[0] for person in people}
    for person in people:
        person.ask(VISITS)
    for person in people:
        others = person.versions.count(podinfo.FIRST)
        assert person.versions == [podinfo.FIRST] * others + [SECOND] * (VISITS + 1 - others)
        assert (COOKIE in person.cookies) == (SECOND in person.versions)
        if primary:
            assert len(set(person.versions)) == 1
            assert (primary in person.cookies) == (podinfo.FIRST in person.versions)
    assert first == {podinfo.FIRST, SECOND}

    pinned = [person for person in people if COOKIE in person.cookies]
    gates.change(reach, app.namespace, "open")
    podinfo.promoted(past, mark)
    wait.until("the cookie is expired", lambda: forgot(pinned[0]))
    for person in pinned:
        person.ask()
        assert COOKIE not in person.cookies
        assert set(person.versions[-1:]) == {SECOND}


def newcomer(app: podinfo.App) -> visitor.Visitor:
    """Return somebody who has come for the first time."""
    person = visitor.Visitor(app.address)
    person.ask()
    return person


def forgot(person: visitor.Visitor) -> bool:
    """Let somebody come once more; tell whether their cookie was taken away."""
    person.ask()
    return COOKIE not in person.cookies
