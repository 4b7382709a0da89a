"""Whether a payload is one of its Canary's own: the comparison, and the calls it takes."""

import dataclasses
import pathlib
import re
import socket
from typing import Any

import pytest
import pytest_httpserver
from tools.cluster import canaries, ports

from flagger_common import cluster, declared
from flagger_common.payload import CanaryWebhookPayload

OURS = {"type": "bash", "cmd": "hey -z 1m http://podinfo-canary.test/"}
OTHER = {"type": "bash", "cmd": "true"}


def analysis(*hooks: Any) -> dict[str, Any]:
    return {"webhooks": list(hooks)}


def hook(metadata: object, **fields: object) -> dict[str, object]:
    return {"name": "a hook", "metadata": metadata, **fields}


@pytest.mark.parametrize(
    ("spec", "metadata", "expected"),
    [
        ({"analysis": analysis(hook(OURS))}, OURS, True),
        ({"analysis": analysis(hook(OTHER), hook(OURS))}, OURS, True),
        ({"analysis": analysis(hook(OURS, type="rollout"))}, dict(reversed(OURS.items())), True),
        # more, less, other, or another case
        ({"analysis": analysis(hook(OURS))}, OURS | {"timeout": "1h"}, False),
        ({"analysis": analysis(hook(OURS))}, {"cmd": OURS["cmd"]}, False),
        ({"analysis": analysis(hook(OURS))}, OURS | {"cmd": f"{OURS['cmd']} "}, False),
        ({"analysis": analysis(hook(OURS))}, {"Type": "bash", "cmd": OURS["cmd"]}, False),
        ({"analysis": analysis(hook({"type": "bash"}), hook({"cmd": "x"}))},
         {"type": "bash", "cmd": "x"}, False),
        # strings only are sent, so nothing else is what was sent
        ({"analysis": analysis(hook({"users": 10}))}, {"users": "10"}, False),
        ({"analysis": analysis(hook({"cmd": True}))}, {"cmd": "true"}, False),
        ({"analysis": analysis(hook({"cmd": None}))}, {"cmd": ""}, False),
        # the token does not reach the task
        ({"analysis": analysis(hook(OURS | {"token": "t"}))}, OURS, True),
        ({"analysis": analysis(hook(OURS))}, OURS | {"token": "t"}, True),
        ({"analysis": analysis(hook(OURS | {"token": "a"}))}, OURS | {"token": "b"}, True),
        # the controller adds to what is sent to event hooks
        ({"analysis": analysis(hook(OURS, type="event"))}, OURS, False),
        ({"analysis": analysis(hook(OURS, type="event"), hook(OURS))}, OURS, True),
        # the old name counts where the new one is not used
        ({"canaryAnalysis": analysis(hook(OURS))}, OURS, True),
        ({"analysis": None, "canaryAnalysis": analysis(hook(OURS))}, OURS, True),
        ({"analysis": {}, "canaryAnalysis": analysis(hook(OURS))}, OURS, False),
        ({"analysis": analysis(hook(OTHER)), "canaryAnalysis": analysis(hook(OURS))}, OURS, False),
        # what is not there
        ({}, OURS, False),
        (None, OURS, False),
        ({"analysis": {"interval": "1m"}}, OURS, False),
        ({"analysis": {"webhooks": None}}, OURS, False),
        ({"analysis": analysis()}, OURS, False),
        ({"analysis": analysis({"name": "a gate"}, hook(None), hook("x"), "x", None)}, OURS, False),
        ({"analysis": analysis({"name": "a gate"}, hook(None), hook(OURS))}, OURS, True),
    ],
)  # fmt: skip
def test_exactly_the_same_metadata(spec: object, metadata: dict[str, str], expected: bool) -> None:
    assert declared.declares({"kind": "Canary", "spec": spec}, metadata) is expected


def test_something_else_than_a_canary_declares_nothing() -> None:
    assert not declared.declares({}, OURS)
    assert not declared.declares({"kind": "Status", "message": "?"}, OURS)


@pytest.fixture
def api(httpserver: pytest_httpserver.HTTPServer) -> canaries.Canaries:
    made = canaries.Canaries()
    made.declare("test", "podinfo", OTHER, OURS)
    httpserver.expect_request(re.compile(r".*")).respond_with_handler(made.answer)
    return made


@pytest.fixture
def server(httpserver: pytest_httpserver.HTTPServer, tmp_path: pathlib.Path) -> cluster.Cluster:
    token = tmp_path / "token"
    token.write_text(f"{canaries.TOKEN}\n")
    return cluster.Cluster(httpserver.url_for("").rstrip("/"), token)


def payload(
    name: str = "podinfo", namespace: str = "test", **metadata: str
) -> CanaryWebhookPayload:
    return CanaryWebhookPayload(name=name, namespace=namespace, metadata=metadata or OURS)


def test_the_true_payload_passes_and_every_other_one_is_refused(
    api: canaries.Canaries, server: cluster.Cluster
) -> None:
    verify = declared.verifier(server)
    verify(payload())
    verify(payload(**OTHER))
    with pytest.raises(declared.UndeclaredError, match=r"Canary podinfo\.test has exactly"):
        verify(payload(cmd="rm -rf /"))
    api.declare("prod", "podinfo")
    with pytest.raises(declared.UndeclaredError, match=r"podinfo\.prod"):
        verify(payload(namespace="prod"))


def test_nothing_is_remembered(api: canaries.Canaries, server: cluster.Cluster) -> None:
    verify = declared.verifier(server)
    verify(payload())
    api.declare("test", "podinfo", OTHER)
    with pytest.raises(declared.UndeclaredError, match=r"spec\.analysis\.webhooks"):
        verify(payload())
    api.declare("test", "podinfo", OURS)
    verify(payload())


@pytest.mark.parametrize("name", ["other", "", "..", "podinfo/../other", "a?b", "Podinfo", "a%2f"])
def test_a_canary_that_does_not_exist(
    api: canaries.Canaries, server: cluster.Cluster, name: str
) -> None:
    verify = declared.verifier(server)
    message = f"there is no Canary {re.escape(name)} in namespace test; only tasks of existing"
    with pytest.raises(declared.UndeclaredError, match=message):
        verify(payload(name))
    asked = len(api.users)
    assert asked == (1 if name == "other" else 0), "a name that cannot be was made a path"
    with pytest.raises(declared.UndeclaredError):
        verify(payload(namespace=name))


def test_we_ask_as_ourselves(api: canaries.Canaries, server: cluster.Cluster) -> None:
    user = "system:serviceaccount:{namespace}:tests"
    declared.verifier(dataclasses.replace(server, user=user))(payload())
    assert api.users == [None]


def test_a_missing_right_is_named(api: canaries.Canaries, server: cluster.Cluster) -> None:
    api.denied = True
    right = r"podinfo\.test cannot be read.*get canaries\.flagger\.app in namespace test: .*User"
    with pytest.raises(declared.UnverifiedError, match=right):
        declared.verifier(server)(payload())


def test_a_login_that_does_not_work(
    api: canaries.Canaries, server: cluster.Cluster, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "token").write_text("old")
    with pytest.raises(declared.UnverifiedError, match="not accepted, look at its file"):
        declared.verifier(server)(payload())
    (tmp_path / "token").unlink()
    with pytest.raises(declared.UnverifiedError, match="No such file"):
        declared.verifier(server)(payload())
    assert len(api.users) == 1


@pytest.mark.parametrize("status", [200, 429, 500, 503])
def test_an_answer_that_says_nothing_of_the_canary(
    httpserver: pytest_httpserver.HTTPServer, server: cluster.Cluster, status: int
) -> None:
    httpserver.expect_request(re.compile(r".*")).respond_with_data("<html>", status)
    with pytest.raises(declared.UnverifiedError, match="so nothing runs; try again"):
        declared.verifier(server)(payload())


def test_no_api_server_there(server: cluster.Cluster) -> None:
    away = dataclasses.replace(server, api=f"http://127.0.0.1:{ports.free('127.0.0.1')}")
    with pytest.raises(declared.UnverifiedError, match="refused"):
        declared.verifier(away)(payload())


def test_an_api_server_that_is_silent(server: cluster.Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        hung = dataclasses.replace(server, api=address, seconds=1000.0)
        with pytest.raises(declared.UnverifiedError, match="timed out"):
            declared.verifier(hung, seconds=0.2)(payload())


def test_without_a_cluster_nothing_starts() -> None:
    with pytest.raises(ValueError, match="-verify-canary needs an API server"):
        declared.verifier(None)
