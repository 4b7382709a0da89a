"""Free TCP ports."""

import random
import socket
from typing import Final

FIRST: Final = 20000
LAST: Final = 29999
"""Below Kubernetes' NodePorts (30000) and the kernel's range for outgoing connections (32768), so
that between our look and the daemon's bind only another program like this one can take it."""

_random = random.SystemRandom()  # not seeded by tests: parallel workers must not choose alike


def free(address: str) -> int:
    """Return a port that nothing listens on right now."""
    for _ in range(200):
        port = _random.randint(FIRST, LAST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port on {address} between {FIRST} and {LAST}")
