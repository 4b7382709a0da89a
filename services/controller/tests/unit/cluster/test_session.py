"""The session that kopf watches with."""

import pytest
from yarl import URL

from flagger_controller.cluster.login import Login
from flagger_controller.cluster.session import asked, session

from .server import failure, reply, serving

CANARIES = "/apis/flagger.app/v1beta1/canaries"


async def test_requests_are_authorised_and_counted() -> None:
    heard: list[str] = []
    async with serving(reply({}), failure(403)) as script:
        login = Login(script.url, authorization=lambda: "Bearer secret")
        async with session(login, lambda *what: heard.append(" ".join(what))) as client:
            for query in ("", "?watch=true"):
                async with client.get(f"{script.url}{CANARIES}{query}"):
                    pass
        assert {call.headers["Authorization"] for call in script.calls} == {"Bearer secret"}
    assert heard == ["list canaries.flagger.app 200", "watch canaries.flagger.app 403"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (CANARIES, ("list", "canaries.flagger.app")),
        (f"{CANARIES}?watch=true", ("watch", "canaries.flagger.app")),
        ("/apis/flagger.app/v1beta1/namespaces/shop/canaries", ("list", "canaries.flagger.app")),
        ("/version", ("get", "/version")),
        ("/apis/flagger.app/v1beta1", ("get", "/apis/flagger.app/v1beta1")),
    ],
)
def test_what_was_asked(url: str, expected: tuple[str, str]) -> None:
    assert asked(URL(f"https://api:6443{url}")) == expected
