"""Client-side rate limit of API requests (flags `-kubeconfig-qps` and `-kubeconfig-burst`)."""

import asyncio


class Throttle:
    """A token bucket: callers wait in the order in which they came."""

    def __init__(self, qps: float, burst: int) -> None:
        self._qps = qps
        self._burst = burst
        self._tokens = float(burst)
        self._at = 0.0

    async def wait(self) -> None:
        """Take a token; a limit of zero or less means none."""
        if self._qps <= 0:
            return
        now = asyncio.get_running_loop().time()
        earned = (now - self._at) * self._qps
        self._tokens = min(float(max(self._burst, 1)), self._tokens + earned) - 1
        self._at = now
        if self._tokens < 0:
            # The debt is ours already, so that those who come later wait longer.
            await asyncio.sleep(-self._tokens / self._qps)
