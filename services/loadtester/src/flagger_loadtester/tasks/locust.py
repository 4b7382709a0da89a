"""A Locust test: headless in this container, or on a Locust master (`locust_master`).

Locust is a program here, never a module: importing it patches the interpreter.
"""

import dataclasses
import functools
import json
import pathlib
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Final

from flagger_common.confinement import Confinement
from flagger_common.payload import CanaryWebhookPayload
from flagger_common.plan import Plan

from ..outcome import Outcome
from ..policy import kinds
from ..policy.guard import Guard
from ..policy.scope import RefusedError
from ..results import locust as results
from . import base, locust_master, locust_plan

_FILES: Final = pathlib.Path(__file__).parent.parent / "locustfiles"
_REPORTER: Final = _FILES / "report_locustfile.py"
_DEFAULT: Final = _FILES / "default_locustfile.py"
_STOP_TIMEOUT: Final = 5
"""Seconds for requests under way at the end; ending them at once would look like errors."""
_MAX_REPORT: Final = 1024 * 1024
_TAG: Final = re.compile(r"\w[\w.:/-]*")
_PATH: Final = re.compile(r"/[!-+\--~]*")  # a comma ends it


def _anything(host: str, namespace: str) -> None:
    """Accept every target."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What the operator allows."""

    inline: bool = False
    """Whether hooks may bring a locustfile: it is code, which runs in this container."""

    directories: tuple[pathlib.Path, ...] = ()
    """Where locustfiles may lie that hooks name."""

    check_target: Callable[[str, str], None] = _anything
    """Takes the host's URL and the hook's namespace; raises `RefusedError` to refuse."""

    master: str = ""
    """URL of a Locust master's web API, which then runs all tests; empty for headless ones."""

    timeout: float = 3600.0
    """Limit of a task in seconds."""

    users: int = sys.maxsize
    """Most users of a test."""

    confinement: Confinement | None = None
    """Of a headless Locust; None gives it the rights and variables of the server."""


@dataclasses.dataclass(frozen=True)
class Script:
    """The locustfile of a headless test."""

    path: pathlib.Path
    """Where it lies."""

    text: str = ""
    """What to write there first: an inline locustfile."""

    arguments: tuple[str, ...] = ()
    """More arguments for Locust."""


@dataclasses.dataclass(frozen=True)
class Headless(locust_plan.Planned):
    """A test run by a Locust of its own."""

    script: Script
    """Who makes it."""

    confinement: Confinement | None = None
    """See `base.Context.execute`."""

    @property
    def identity(self) -> tuple[str, ...]:
        """Canary and all that was asked for."""
        return (self.canary, repr(self.plan), repr(self.script))

    def run(self, context: base.Context) -> Outcome:
        """Run Locust and read its report."""
        # Processes that a locustfile left behind may still write there.
        with tempfile.TemporaryDirectory(prefix="locust-", ignore_cleanup_errors=True) as name:
            folder = pathlib.Path(name)
            script = folder / self.script.path  # an absolute path stays as it is
            if self.script.text:
                script.write_text(self.script.text)
            report = folder / "report.json"
            plan = Plan.of(self._argv(script, report))
            return self._judge(context.execute(plan, self.confinement), report)

    def _argv(self, script: pathlib.Path, report: pathlib.Path) -> tuple[str, ...]:
        plan = self.plan
        return (
            *(sys.executable, "-m", "locust", "--headless", "--only-summary"),
            *("--locustfile", f"{script},{_REPORTER}", "--report", str(report)),
            *("--host", plan.host, "--users", str(plan.users)),
            *("--spawn-rate", str(plan.spawn_rate), "--run-time", f"{plan.run_time}s"),
            *("--stop-timeout", str(_STOP_TIMEOUT)),
            # Failed requests are judged by us, so other codes tell that Locust itself failed.
            *("--exit-code-on-error", "0", *self.script.arguments),
        )

    def _judge(self, outcome: Outcome, file: pathlib.Path) -> Outcome:
        try:
            report = _load(file)
        except (OSError, ValueError) as error:
            reason = outcome.reason or f"Locust left no report: {error}"
            return dataclasses.replace(outcome, reason=reason)
        summary = report.summary()
        return dataclasses.replace(
            outcome,
            output=f"{summary}{outcome.output}" if outcome.reason else summary,
            reason=outcome.reason or self.plan.complaint(report),
            result=report.result,
        )


def _load(file: pathlib.Path) -> results.Report:
    with file.open() as opened:
        text = opened.read(_MAX_REPORT)  # of a larger one, nothing can be read
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")
    return results.read(document)


def make(options: Options) -> Mapping[str, base.TaskType]:
    """Return the task types by name: one in the background, and one whose result decides."""
    master = locust_master.Master(options.master) if options.master else None

    def prepare(payload: CanaryWebhookPayload, blocking: bool) -> base.Work:
        return _read(payload, options, master, blocking=blocking)

    def strict(payload: CanaryWebhookPayload, guard: Guard, blocking: bool) -> base.Work:
        return _read(payload, _confined(options, payload, guard), master, blocking=blocking)

    return {
        name: base.TaskType(
            name,
            blocking,
            functools.partial(prepare, blocking=blocking),
            strict=functools.partial(strict, blocking=blocking),
        )
        for name, blocking in (("locust", False), ("locust-test", True))
    }


def _confined(options: Options, payload: CanaryWebhookPayload, guard: Guard) -> Options:
    """Return what the policy allows to a namespace."""
    scope = guard.scope(payload.namespace)
    return dataclasses.replace(
        options,
        directories=scope.files,
        check_target=lambda host, _: kinds.target(host, scope),
        timeout=min(options.timeout, scope.duration + locust_plan.MARGIN),
        users=scope.concurrency,
        confinement=guard.confinement,
    )


def _read(
    payload: CanaryWebhookPayload,
    options: Options,
    master: locust_master.Master | None,
    *,
    blocking: bool,
) -> base.Work:
    plan = locust_plan.read(payload.metadata, options.timeout, blocking=blocking)
    options.check_target(plan.host, payload.namespace)
    if plan.users > options.users:
        raise RefusedError(f"users not allowed: {plan.users}, the most are {options.users}")
    if master:
        return locust_master.prepare(payload, plan, master)
    locust_plan.refuse(payload.metadata, ("expectWorkers",), "-locust-master is not set")
    return Headless(payload.canary, plan, _script(payload.metadata, options), options.confinement)


def _script(metadata: Mapping[str, str], options: Options) -> Script:
    tags = (*_tags(metadata, "tags", "--tags"), *_tags(metadata, "excludeTags", "--exclude-tags"))
    if not {"locustfile", "file"} & set(metadata):
        return Script(_DEFAULT, arguments=("--paths", _paths(metadata.get("path", "/")), *tags))
    locust_plan.refuse(metadata, ("path",), "a locustfile knows its paths itself")
    if "file" in metadata:
        locust_plan.refuse(metadata, ("locustfile",), "file is given as well")
        return Script(_mounted(metadata["file"], options.directories), arguments=tags)
    if not options.inline:
        text = "inline locustfiles are not allowed here; mount a file, or set"
        raise base.TaskError(f"locustfile cannot be given: {text} -allow-inline-locustfile")
    if not metadata["locustfile"].strip():
        raise base.TaskError('locustfile is "", expected the text of a locustfile')
    return Script(pathlib.Path("inline_locustfile.py"), metadata["locustfile"], tags)


def _mounted(text: str, directories: tuple[pathlib.Path, ...]) -> pathlib.Path:
    """Return the file itself: mounted ones are links, which must not lead out of the directory."""
    places = ", ".join(map(str, directories)) or "no directory: none is configured"
    refused = base.TaskError(f'file is "{text}", expected a .py file without commas below {places}')
    try:
        path = pathlib.Path(text).resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise refused from error
    allowed = any(path.is_relative_to(directory.resolve()) for directory in directories)
    if not (allowed and path.is_file() and path.suffix == ".py" and "," not in str(path)):
        raise refused
    return path


def _paths(text: str) -> str:
    paths = [path.strip() for path in text.split(",")]
    if not all(_PATH.fullmatch(path) for path in paths):
        raise base.TaskError(f'path is "{text}", expected paths, say /,/token')
    return ",".join(paths)


def _tags(metadata: Mapping[str, str], key: str, option: str) -> tuple[str, ...]:
    tags = metadata.get(key, "").replace(",", " ").split()
    if not all(_TAG.fullmatch(tag) for tag in tags):
        raise base.TaskError(f'{key} is "{metadata[key]}", expected words, say slow,login')
    return (option, *tags) if tags else ()
