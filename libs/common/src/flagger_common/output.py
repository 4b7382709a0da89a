"""Capped collection of a command's output (loadtester.md section 8.2.6).

Upstream buffers everything, and a chatty command ends the pod. The beginning and the end are what a
reader needs: the first error and the last words.
"""


class Capture:
    """Keeps the first and the last half of a limited number of bytes."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, chunk: bytes) -> None:
        """Append a chunk; memory stays below twice the limit."""
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > 2 * self._half:
            self._trim()

    def text(self) -> str:
        """Return what was kept; a marker tells how much is missing."""
        self._trim()
        head, tail = self._head.decode(errors="replace"), self._tail.decode(errors="replace")
        if not self._dropped:
            return (bytes(self._head) + bytes(self._tail)).decode(errors="replace")
        return f"{head}\n... {self._dropped} bytes left out ...\n{tail}"

    def _trim(self) -> None:
        if (excess := len(self._tail) - self._half) > 0:
            del self._tail[:excess]
            self._dropped += excess
