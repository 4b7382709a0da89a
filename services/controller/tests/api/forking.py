"""The program of the zygote: forks a controller for each order that it gets.

Between the two is an attendant, also a fork, which tells the controller's process id and, when it
has ended, its exit code.
"""

import contextlib
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator

from flagger_controller.__main__ import main

LONGEST = 2**16
"""Bytes of an order."""


def received(orders: socket.socket) -> Iterator[tuple[bytes, socket.socket]]:
    """Orders, each with the place for reports, until nobody is there to order anything."""
    while True:
        order, descriptors, _, _ = socket.recv_fds(orders, LONGEST, 1)
        if not order:
            return
        yield order, socket.socket(fileno=descriptors[0])
        bury()


def bury() -> None:
    """Let go of attendants that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def serve(orders: socket.socket) -> None:
    """Fork for each order; returns in the zygote and in each fork at its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's is for who orders
    for order, reports in received(orders):
        with reports:
            if os.fork() == 0:
                orders.close()
                attend(order, reports)
                return


def attend(order: bytes, reports: socket.socket) -> None:
    """Fork a controller and tell how it does; returns at the end of either."""
    child = os.fork()
    if child == 0:
        reports.close()
        become(**json.loads(order))
        main()
        return
    reports.sendall(f"{child}\n".encode())
    _, status = os.waitpid(child, 0)
    reports.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def become(arguments: list[str], log: str) -> None:
    """Have the arguments and the output of a process of its own."""
    sys.argv[1:] = arguments
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    os.close(output)


if __name__ == "__main__":
    gc.freeze()  # else each fork would soon copy what its collector marks
    serve(socket.socket(fileno=int(sys.argv[1])))
