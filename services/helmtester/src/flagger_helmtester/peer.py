"""Whether the client of a request is still there (spec helmtester B.3)."""

import select
import socket
from collections.abc import Callable
from typing import Final

_GONE: Final = select.POLLRDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL


def connected(connection: socket.socket) -> Callable[[], bool]:
    """Return what tells whether the other side still holds its end of a connection.

    Nothing is read, so the server finds the next request where it was. A client that only closes
    its sending half counts as gone, as it does for Go's server, which is upstream's.
    """
    number = connection.fileno()

    def answer() -> bool:
        poll = select.poll()
        poll.register(number, select.POLLRDHUP)
        return not any(event & _GONE for _, event in poll.poll(0))

    return answer
