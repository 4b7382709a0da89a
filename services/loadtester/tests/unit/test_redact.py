"""Secrets in command texts and in what commands print."""

import pytest

from flagger_loadtester.redact import conceal, redact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("curl -H 'Authorization: Bearer abc' http://a", "curl -H 'Authorization: ***' http://a"),
        ('hey -H "authorization:Basic abc" http://a', 'hey -H "authorization:***" http://a'),
        ("curl -u me:abc http://a", "curl -u *** http://a"),
        ("curl -ume:abc http://a", "curl -u*** http://a"),
        ("curl -sfu 'me:abc' http://a", "curl -sfu '***' http://a"),
        ("curl --user=me:abc http://a", "curl --user=*** http://a"),
        ("hey -a me:abc http://a", "hey -a *** http://a"),
        ("curl --oauth2-bearer abc http://a", "curl --oauth2-bearer *** http://a"),
        ("curl -d token=abc&x=1 http://a", "curl -d token=***&x=1 http://a"),
        ('curl -d \'{"passwd": "abc"}\' http://a', 'curl -d \'{"passwd": "***"}\' http://a'),
        ("curl -H 'X-Api-Key: abc' http://a", "curl -H 'X-Api-Key: ***' http://a"),
        ("curl http://me:abc@a/", "curl http://***@a/"),
    ],
)
def test_secrets_are_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "curl -sd 'test' http://podinfo-canary/token | grep token",
        "hey -z 1m -q 10 -c 2 http://podinfo-canary.test:9898/",
        "k6 run -u 10 /tests/load.js",
        "",
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("command", "output", "shown"),
    [
        ("curl -u me:geheim1 http://a", "me:geheim1, geheim1", "***, ***"),
        ("curl -vu me:geheim1 http://a", "> Authorization: Basic bWU6Z2VoZWltMQ==", None),
        ("curl -H 'Authorization: Bearer geheim1' http://a", "token geheim1 has expired", None),
        ("curl http://me:geheim1@a/", "cannot resolve http://me:geheim1@a/", None),
        ("curl -d 'token=geheim1&x=abcdefg' http://a", "geheim1 abcdefg", "*** abcdefg"),
        ("curl -u me:abc http://a", "abc", "abc"),
        ("curl http://a/geheim1", "geheim1", "geheim1"),
        ("curl -H 'Authorization:  ' http://a", "nothing to hide", "nothing to hide"),
    ],
)
def test_output_is_without_the_secrets_of_its_command(
    command: str, output: str, shown: str | None
) -> None:
    concealed = conceal(output, command)
    if shown is None:
        assert "***" in concealed
        assert not any(secret in concealed for secret in ("geheim1", "bWU6Z2VoZWltMQ"))
    else:
        assert concealed == shown
