"""A token bucket: how much of something may happen."""

import dataclasses
import threading


@dataclasses.dataclass(slots=True)
class Bucket:
    """Lets `burst` through at once, and `rate` a second in the long run. For many threads."""

    rate: float
    burst: float
    _tokens: float = dataclasses.field(init=False)
    _at: float = dataclasses.field(init=False, default=0.0)
    _lock: threading.Lock = dataclasses.field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Begin full."""
        self._tokens = self.burst

    def take(self, now: float) -> bool:
        """Take one, if there is one.

        Args:
            now: seconds of a clock that does not go back.
        """
        with self._lock:
            elapsed = max(now - self._at, 0.0)
            self._at = max(now, self._at)
            self._tokens = min(self.burst, self._tokens + elapsed * self.rate)
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True
