"""What a release knows about its tests: pure, from `helm status -o json` and Helm's output."""

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .outcome import Test

_EVENTS: Final = frozenset({"test", "test-success"})
_LOG: Final = re.compile(r"^POD LOGS: (\S+)$", re.MULTILINE)
_LOG_LINES: Final = 10
_LOG_CHARACTERS: Final = 2000


def parse(document: str) -> tuple[int, list[Mapping[str, Any]]]:
    """Return the revision of a release and its test hooks.

    Args:
        document: what `helm status -o json` printed.

    Raises:
        ValueError: it is not the description of a release.
    """
    status = json.loads(document)
    try:
        hooks = [hook for hook in status.get("hooks") or () if _EVENTS & {*hook["events"]}]
        return int(status["version"]), hooks
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not the description of a release: {error!r}") from error


def tests(hooks: Sequence[Mapping[str, Any]], since: datetime.datetime) -> tuple[Test, ...]:
    """Return what a run did; hooks that it left out keep the time of an earlier one.

    Args:
        hooks: of the release, after the run.
        since: when the run began, by the clock of Helm's machine.
    """
    runs = [(hook, hook.get("last_run") or {}) for hook in hooks]
    return tuple(
        Test(
            str(hook.get("name", "")),
            str(run.get("phase", "")),
            str(run.get("started_at", "")),
            str(run.get("completed_at", "")),
        )
        for hook, run in runs
        if (started := _time(run.get("started_at"))) is not None and started >= since
    )


def logs(output: str, names: Sequence[str]) -> dict[str, str]:
    """Return the last lines of each test's log from the output of `--logs`.

    Args:
        output: what Helm printed.
        names: the tests.
    """
    heads = [found for found in _LOG.finditer(output) if found[1] in names]
    ends = [*(found.start() for found in heads[1:]), len(output)]
    parts = {found[1]: output[found.end() : end] for found, end in zip(heads, ends, strict=False)}
    return {name: tail(_before_error(part)) for name, part in parts.items()}


def tail(log: str) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.strip().splitlines()[-_LOG_LINES:])[-_LOG_CHARACTERS:]


def _before_error(part: str) -> str:
    return part.partition("\nError: ")[0]


def _time(text: object) -> datetime.datetime | None:
    if not isinstance(text, str) or not text:
        return None
    when = datetime.datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=datetime.UTC)
