"""Which command lines pass: the usual ones, and none that reads, writes or goes elsewhere."""

import pathlib

import pytest

from flagger_loadtester import grammar
from flagger_loadtester.policy import options
from flagger_loadtester.policy.commands import COMMANDS
from flagger_loadtester.policy.scope import RefusedError, Scope

ALLOWED = [
    "hey -z 1m -q 10 -c 2 http://podinfo-canary.test:9898/",
    "hey -z 1m -m POST -d '{{test: 2}}' http://podinfo.test/echo",
    "hey -z=1m --c=2 -h2 https://podinfo.test",
    "hey -H 'Cookie: type=insider' -host app.example.com http://podinfo.test/",
    "hey -disable-redirects -disable-keepalive=true -o csv http://podinfo.test/",
    "wrk -t2 -c2 -d1m http://podinfo.test/",
    "wrk --threads 2 --connections=2 --latency -d 90 http://podinfo.test/",
    "wrk -s {files}/load.lua http://podinfo.test/",
    "ghz -z 1m -q 10 -c 2 --insecure podinfo.test:9898",
    "ghz --insecure --proto={files}/h.proto --call=grpc.health.v1.Health/Check podinfo.test:9898",
    "k6 run --vus 10 --duration 30s -e HOST=x {files}/load.js",
    "bats {files}/acceptance.bats",
    "bats -tr --filter token -F tap {files}",
    "grpc_health_probe -connect-timeout=1s -addr=podinfo-canary:9999",
    "curl -sd 'test' http://podinfo-canary/token",
    "curl -sSf -XPOST -H 'X: y' -m5 http://podinfo.test.svc.cluster.local:80/a",
    "curl -s -o /dev/null -w '%{{http_code}}' http://podinfo.test",
    "curl --data-raw @text -u user:password http://podinfo.test",
    "curl 'http://podinfo.test/a?b=c&d[1]=%20'",
    "curl -b type=insider --retry 3 --max-time 2.5 http://podinfo.test/ http://other.test/",
    "grep token",
    "grep -qiE 'a|b' {files}/acceptance.bats",
    "grep -- -x",
    "jq -er .status",
    "jq --arg a b '.[$a]' {files}/data.json",
    "jq '@base64'",
]

REFUSED = [
    ("hey http://example.com/", "host not allowed: example.com is no service of 'test'"),
    ("hey -x proxy:3128 http://podinfo.test/", "option not allowed: -x"),
    ("hey http://podinfo.test/ -z 1m", "argument not allowed: -z, options go in front"),
    ("hey -c 201 http://podinfo.test/", "concurrency not allowed: 201 is above 200"),
    ("hey -n 1001 http://podinfo.test/", "requests not allowed: 1001 is above 1000"),
    ("hey -z 61m http://podinfo.test/", "duration not allowed: 61m is above 1h0m0s"),
    ("hey -z -5m http://podinfo.test/", "option not allowed: -z with a value that starts"),
    ("hey -z=-5m http://podinfo.test/", "duration not allowed: -5m"),
    ("hey -z", "option not allowed: -z without a value"),
    ("hey -disable-redirects=false http://podinfo.test/", "option not allowed: -disable-redirects"),
    ("hey -o html http://podinfo.test/", "argument not allowed: html, use csv"),
    ("hey -D /etc/passwd http://podinfo.test/", "file not allowed: /etc/passwd"),
    ("wrk -c 1k http://podinfo.test/", "argument not allowed: 1k is no number"),
    ("wrk -d 2h http://podinfo.test/", "duration not allowed: 2h"),
    ("wrk -s /tmp/x.lua http://podinfo.test/", "file not allowed: /tmp/x.lua"),
    ("wrk --lat http://podinfo.test/", "option not allowed: --lat"),
    ("ghz --config=/etc/passwd podinfo.test:1", "option not allowed: --config"),
    ("ghz -o /tmp/x podinfo.test:1", "option not allowed: -o"),
    ("ghz --name @/etc/passwd podinfo.test:1", "argument not allowed: @/etc/passwd"),
    ("ghz @/etc/passwd", "target not allowed"),
    ("ghz unix:///var/run/docker.sock", "target not allowed"),
    ("k6 cloud /x.js", "argument not allowed: cloud, use run"),
    ("k6 run -", "file not allowed: - is no absolute path"),
    ("k6 run --out json=/tmp/x {files}/load.js", "option not allowed: --out"),
    ("k6 run -e HOST {files}/load.js", "argument not allowed: HOST is not name=value"),
    ("bats -F /bin/sh {files}", "argument not allowed: /bin/sh"),
    ("bats -o /tmp {files}", "option not allowed: -o"),
    ("bats /tmp/x.bats", "file not allowed: /tmp/x.bats is no file below"),
    ("bats {files}/../x.bats", "file not allowed"),
    ("bats {files}/out/x.bats", "file not allowed"),
    ("bats tests", "file not allowed: tests is no absolute path"),
    ("grpc_health_probe -addr=unix:/x", "target not allowed"),
    ("curl file:///etc/passwd", "target not allowed"),
    ("curl gopher://podinfo.test/", "target not allowed"),
    ("curl podinfo.test", "target not allowed"),
    ("curl http://user@podinfo.test/", "target not allowed"),
    ("curl 'http://podinfo.test\\@example.com/'", "target not allowed"),
    ("curl 'http://podinfo.test#@example.com/'", "target not allowed"),
    ("curl 'http://podinfo.test?@example.com/'", "target not allowed"),
    ("curl 'http://{{podinfo.test,example.com}}/'", "target not allowed"),
    ("curl 'http://podinfo.test /'", "target not allowed"),
    ("curl http://podinfo.test/ http://example.com/", "host not allowed: example.com"),
    ("curl -o /tmp/x http://podinfo.test/", "file not allowed: /tmp/x"),
    ("curl -so/tmp/x http://podinfo.test/", "file not allowed: /tmp/x"),
    ("curl -d @/etc/passwd http://podinfo.test/", "argument not allowed: @/etc/passwd"),
    ("curl -sd@/etc/passwd http://podinfo.test/", "argument not allowed: @/etc/passwd"),
    ("curl -H @/etc/passwd http://podinfo.test/", "argument not allowed: @/etc/passwd"),
    ("curl -w @/etc/passwd http://podinfo.test/", "argument not allowed: @/etc/passwd"),
    ("curl -w '%output{{/tmp/x}}' http://podinfo.test/", "argument not allowed: %output"),
    ("curl -b /etc/passwd http://podinfo.test/", "argument not allowed: /etc/passwd"),
    ("grep x /etc/passwd", "file not allowed: /etc/passwd"),
    ("grep x -- /etc/passwd", "file not allowed: /etc/passwd"),
    ("grep -e x /etc/passwd", "option not allowed: -e"),
    ("grep -r x {files}", "option not allowed: -r"),
    ("jq . /etc/passwd", "file not allowed: /etc/passwd"),
    ("jq -f /etc/passwd", "option not allowed: -f"),
    ("jq 'import \"/etc/x\" as $x; $x'", "argument not allowed: import reads files"),
    *[
        (f"curl {option} http://podinfo.test/", f"option not allowed: {option.split()[0]}")
        for option in (
            *("-O", "-K x", "--config x", "-T x", "-x p", "--resolve a:1:b", "-F a=@x", "-L"),
            *("--connect-to a:1:b:2", "--url x", "--unix-socket x", "-E x", "--proxy x", "-n"),
            *("-c x", "-D x", "--trace x", "--data-urlencode x", "-q", "--next", "-:", "-J"),
        )
    ],
]


@pytest.fixture
def files(tmp_path: pathlib.Path) -> pathlib.Path:
    """A directory of the operator's, with a link that leads out of it."""
    made = tmp_path / "tests"
    made.mkdir()
    for name in ("load.lua", "load.js", "h.proto", "acceptance.bats", "data.json"):
        (made / name).touch()
    (made / "out").symlink_to("/")
    return made


def judge(text: str, files: pathlib.Path) -> None:
    ((name, *arguments),) = grammar.parse(text.format(files=files)).steps[0][1]
    scope = Scope("test", files=(files,), requests=1000)
    options.check(COMMANDS[name], arguments, scope)


@pytest.mark.parametrize("text", ALLOWED)
def test_commands_that_run(text: str, files: pathlib.Path) -> None:
    judge(text, files)


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_commands_that_are_refused(text: str, reason: str, files: pathlib.Path) -> None:
    with pytest.raises(RefusedError) as caught:
        judge(text, files)
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize("name", ["hey", "wrk", "ghz"])
def test_what_a_program_assumes_is_judged(name: str) -> None:
    scope = Scope("test", concurrency=5)
    target = "podinfo.test:1" if name == "ghz" else "http://podinfo.test/"
    with pytest.raises(RefusedError, match="is above 5"):
        options.check(COMMANDS[name], [target], scope)
    options.check(COMMANDS[name], ["-c", "5", target], scope)
