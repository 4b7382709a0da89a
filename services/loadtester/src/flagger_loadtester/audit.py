"""Who asked for what, what was decided, and how it ended: the audit log (loadtester.md 8.2.9).

Two lines a request, with one number: the decision and, for accepted ones, the end. The number is
part of the message, so that the log's sampling of repeated lines never drops one.
"""

import dataclasses
import hashlib
import itertools
import logging
import time
from collections.abc import Mapping
from typing import Final

from flagger_common import callers
from flagger_common.payload import CanaryWebhookPayload

from .outcome import Outcome
from .redact import redact
from .tasks.base import Context, Work

logger = logging.getLogger(__name__)

_NUMBERS: Final = itertools.count(1)


def caller(known: callers.Callers, headers: Mapping[str, str]) -> str:
    """Say how an accepted caller has proved who they are: ``token``, ``signature``, ``nothing``."""
    if known.token_file is None and known.key_file is None:
        return "nothing"
    bearer = headers.get("Authorization", "").lower().startswith("bearer ")
    return "signature" if headers.get(callers.SIGNATURE) and not bearer else "token"


@dataclasses.dataclass(frozen=True)
class Request:
    """One request for a task."""

    remote: str
    """Address of the caller."""

    proof: str
    """See `caller`."""

    payload: CanaryWebhookPayload
    """What was asked for."""

    kind: str
    """Type of the task as the caller wrote it."""

    number: int = dataclasses.field(default_factory=lambda: next(_NUMBERS))
    """Since the start of the process."""

    def refused(self, status: int, reason: str) -> None:
        """Log that no task is made of it."""
        self._log("refused", status=status, reason=redact(reason))

    def accepted(self, work: Work) -> Work:
        """Log that a task is made of it; its end is logged, too."""
        self._log("accepted")
        return _Audited(work, self)

    def ended(self, seconds: float, reason: str) -> None:
        """Log how the task ended; an empty reason is success."""
        self._log("ended", seconds=round(seconds, 3), reason=reason or "success")

    def _log(self, decision: str, **more: object) -> None:
        command = self.payload.metadata.get("cmd", "")
        extra = {
            "remote": self.remote,
            "proof": self.proof,
            "canary": self.payload.canary,
            "checksum": self.payload.checksum,
            "type": self.kind,
            "sha256": hashlib.sha256(command.encode()).hexdigest(),
            "decision": decision,
        }
        logger.info("audit: request %d %s", self.number, decision, extra=extra | more)


@dataclasses.dataclass(frozen=True)
class _Audited:
    """Work whose end is logged."""

    work: Work
    request: Request

    @property
    def canary(self) -> str:
        return self.work.canary

    @property
    def label(self) -> str:
        return self.work.label

    @property
    def identity(self) -> tuple[str, ...]:
        return self.work.identity

    @property
    def log_output(self) -> bool:
        return self.work.log_output

    @property
    def return_output(self) -> bool:
        return self.work.return_output

    def run(self, context: Context) -> Outcome:
        started = time.monotonic()
        reason = "crashed"
        try:
            outcome = self.work.run(context)
            reason = outcome.reason
            return outcome
        finally:
            self.request.ended(time.monotonic() - started, reason)

    def failure(self, outcome: Outcome) -> str:
        return self.work.failure(outcome)
