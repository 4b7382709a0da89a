"""The programs strict mode knows, and all that may be asked of each.

What reads files of the caller's choice, writes files, follows redirects or uses a proxy is not
listed: ``-o``, ``-K``, ``-T``, ``-L``, ``-x``, ``--resolve`` of curl, ``-F`` of bats and so on.
"""

from collections.abc import Mapping
from typing import Final

from . import kinds
from .options import SWITCH, Table

_DURATION: Final = (kinds.duration,)
_NUMBER: Final = (kinds.number,)
_WORKERS: Final = (kinds.concurrency,)
_REQUESTS: Final = (kinds.requests,)
_TEXT: Final = (kinds.text,)
_FREE: Final = (kinds.free,)
_FILE: Final = (kinds.file,)

_HEY: Final = Table(
    go=True,
    loads=True,
    forced=("-disable-redirects",),  # a target decides nothing about other hosts
    options={
        "-n": _REQUESTS,
        "-c": _WORKERS,
        "-q": _NUMBER,
        "-z": _DURATION,
        "-o": (kinds.word("csv"),),
        "-m": _TEXT,
        "-H": _TEXT,
        "-t": _DURATION,
        "-A": _TEXT,
        "-d": _FREE,
        "-D": _FILE,
        "-T": _TEXT,
        "-U": _TEXT,
        "-a": _TEXT,
        "-host": _TEXT,
        "-h2": SWITCH,
        "-disable-compression": SWITCH,
        "-disable-keepalive": SWITCH,
        "-disable-redirects": SWITCH,
        "-cpus": _NUMBER,
    },
    positionals=(kinds.target,),
    defaults=((frozenset({"-c"}), kinds.concurrency, "50"),),
)

_WRK: Final = Table(
    loads=True,
    options={
        **dict.fromkeys(("-c", "--connections"), _WORKERS),
        **dict.fromkeys(("-t", "--threads"), _WORKERS),
        **dict.fromkeys(("-d", "--duration"), _DURATION),
        **dict.fromkeys(("-s", "--script"), _FILE),
        **dict.fromkeys(("-H", "--header"), _TEXT),
        "--latency": SWITCH,
        "--timeout": _DURATION,
    },
    positionals=(kinds.target,),
    defaults=((frozenset({"-c", "--connections"}), kinds.concurrency, "10"),),
)

_GHZ: Final = Table(
    loads=True,
    options={
        "--proto": _FILE,
        "--protoset": _FILE,
        **dict.fromkeys(("-i", "--import-paths"), _FILE),
        "--call": _TEXT,
        "--cacert": _FILE,
        **dict.fromkeys(("--skipTLS", "--insecure", "--async", "--count-errors"), SWITCH),
        "--enable-compression": SWITCH,
        **dict.fromkeys(("--cname", "--authority", "--name", "--tags"), _TEXT),
        **dict.fromkeys(("-c", "--concurrency"), _WORKERS),
        **dict.fromkeys(("-n", "--total"), _REQUESTS),
        **dict.fromkeys(("-r", "--rps", "-q", "--qps", "--connections", "--cpus"), _NUMBER),
        **dict.fromkeys(("-t", "--timeout", "-z", "--duration", "-x", "--max-duration"), _DURATION),
        **dict.fromkeys(("--connect-timeout", "--keepalive"), _DURATION),
        "--duration-stop": (kinds.word("close", "wait", "ignore"),),
        **dict.fromkeys(("-d", "--data", "-m", "--metadata"), _TEXT),
        "--reflect-metadata": _TEXT,
        "--lb-strategy": (kinds.word("pick_first", "round_robin"),),
        **dict.fromkeys(("-O", "--format"), (kinds.word("summary", "csv", "json", "pretty"),)),
    },
    positionals=(kinds.address,),
    defaults=((frozenset({"-c", "--concurrency"}), kinds.concurrency, "50"),),
)

_K6: Final = Table(
    loads=True,
    options={
        **dict.fromkeys(("-u", "--vus"), _WORKERS),
        **dict.fromkeys(("-d", "--duration"), _DURATION),
        **dict.fromkeys(("-i", "--iterations"), _REQUESTS),
        "--rps": _NUMBER,
        "--batch": _NUMBER,
        **dict.fromkeys(("-e", "--env", "--tag"), (kinds.pair,)),
        **dict.fromkeys(("-q", "--quiet", "-w", "--throw", "--verbose", "-v"), SWITCH),
        **dict.fromkeys(("--no-color", "--no-summary", "--no-thresholds", "--no-setup"), SWITCH),
        **dict.fromkeys(("--no-teardown", "--no-usage-report", "--paused"), SWITCH),
        **dict.fromkeys(("--insecure-skip-tls-verify", "--no-connection-reuse"), SWITCH),
        **dict.fromkeys(("--summary-trend-stats", "--summary-time-unit", "--user-agent"), _TEXT),
    },
    positionals=(kinds.word("run"), kinds.file),
)

_BATS: Final = Table(
    options={
        **dict.fromkeys(("-c", "--count", "-p", "--pretty", "-t", "--tap"), SWITCH),
        **dict.fromkeys(("-r", "--recursive", "-T", "--timing", "-x", "--trace"), SWITCH),
        **dict.fromkeys(("--verbose-run", "--print-output-on-failure"), SWITCH),
        "--show-output-of-passing-tests": SWITCH,
        **dict.fromkeys(("-f", "--filter", "--filter-tags"), _TEXT),
        **dict.fromkeys(("-F", "--formatter"), (kinds.word("pretty", "tap", "tap13", "junit"),)),
    },
    rest=kinds.file,
)

_GRPC_HEALTH_PROBE: Final = Table(
    go=True,
    options={
        "-addr": (kinds.address,),
        **dict.fromkeys(("-service", "-user-agent", "-rpc-header", "-tls-server-name"), _TEXT),
        **dict.fromkeys(("-connect-timeout", "-rpc-timeout"), _DURATION),
        **dict.fromkeys(("-tls", "-tls-no-verify", "-gzip", "-v"), SWITCH),
        "-tls-ca-cert": _FILE,
    },
)

_CURL: Final = Table(
    options={
        **dict.fromkeys(("-s", "--silent", "-S", "--show-error", "-v", "--verbose"), SWITCH),
        **dict.fromkeys(("-f", "--fail", "--fail-with-body", "-k", "--insecure"), SWITCH),
        **dict.fromkeys(("-i", "--include", "-I", "--head", "-G", "--get"), SWITCH),
        **dict.fromkeys(("--compressed", "-N", "--no-buffer", "-4", "--ipv4", "-6"), SWITCH),
        **dict.fromkeys(("--ipv6", "-g", "--globoff", "--path-as-is", "--tlsv1.2"), SWITCH),
        **dict.fromkeys(("--http1.1", "--http2", "--http2-prior-knowledge"), SWITCH),
        **dict.fromkeys(("--retry-connrefused", "--retry-all-errors"), SWITCH),
        **dict.fromkeys(("-X", "--request", "-H", "--header", "-A", "--user-agent"), _TEXT),
        **dict.fromkeys(("-e", "--referer", "-u", "--user", "--oauth2-bearer"), _TEXT),
        **dict.fromkeys(("-d", "--data", "--data-ascii", "--data-binary", "--json"), _TEXT),
        "--data-raw": _FREE,
        **dict.fromkeys(("-b", "--cookie"), (kinds.pair,)),
        **dict.fromkeys(("-o", "--output"), (kinds.nowhere,)),
        **dict.fromkeys(("-w", "--write-out"), (kinds.format_,)),
        **dict.fromkeys(("-m", "--max-time", "--connect-timeout", "--retry-delay"), _DURATION),
        "--retry-max-time": _DURATION,
        "--retry": _NUMBER,
        "--cacert": _FILE,
    },
    rest=kinds.target,
)

_GREP: Final = Table(
    options={
        **dict.fromkeys(("-q", "--quiet", "-v", "--invert-match", "-i", "--ignore-case"), SWITCH),
        **dict.fromkeys(("-E", "--extended-regexp", "-F", "--fixed-strings"), SWITCH),
        **dict.fromkeys(("-o", "--only-matching", "-c", "--count", "-w", "-x"), SWITCH),
        **dict.fromkeys(("-n", "--line-number", "-s", "--no-messages", "-h", "-a"), SWITCH),
        **dict.fromkeys(("-m", "--max-count", "-A", "-B", "-C"), _NUMBER),
    },
    positionals=(kinds.free,),
    rest=kinds.file,
)

_JQ: Final = Table(
    options={
        **dict.fromkeys(("-r", "--raw-output", "-e", "--exit-status", "-c"), SWITCH),
        **dict.fromkeys(("--compact-output", "-s", "--slurp", "-n", "--null-input"), SWITCH),
        **dict.fromkeys(("-R", "--raw-input", "-S", "--sort-keys", "-M", "-a", "-j"), SWITCH),
        **dict.fromkeys(("--arg", "--argjson"), (kinds.free, kinds.free)),
    },
    positionals=(kinds.filter_,),
    rest=kinds.file,
)

COMMANDS: Final[Mapping[str, Table]] = {
    "hey": _HEY,
    "wrk": _WRK,
    "ghz": _GHZ,
    "k6": _K6,
    "bats": _BATS,
    "grpc_health_probe": _GRPC_HEALTH_PROBE,
    "curl": _CURL,
    "grep": _GREP,
    "jq": _JQ,
}
"""By name; a further program needs an entry here, or expressions in the policy file."""
