"""Several administrators who work at the same time: a thousand objects, one by one, take a minute.

They belong to `system:masters`, as the controllers do here, and the API server makes nobody of them
wait in its queues: what is measured are the controllers and their own limits.
"""

import contextlib
import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import Final, TypeVar

from tools.cluster import api
from tools.cluster.controlplane import ControlPlane

Item = TypeVar("Item")
Result = TypeVar("Result")

HANDS: Final = 8


class Hands:
    """Clients, each with a connection that is kept, and as many threads."""

    def __init__(self, clients: Iterable[api.Api], pool: futures.Executor) -> None:
        self._free: queue.SimpleQueue[api.Api] = queue.SimpleQueue()
        for client in clients:
            self._free.put(client)
        self._pool = pool

    def each(self, work: Callable[[api.Api, Item], Result], items: Iterable[Item]) -> list[Result]:
        """Do the same with each item, several at a time; return the results in order.

        Raises:
            requests.RequestException: what went wrong first; the others may be done or not.
        """

        def one(item: Item) -> Result:
            client = self._free.get()
            try:
                return work(client, item)
            finally:
                self._free.put(client)

        return list(self._pool.map(one, items))


@contextlib.contextmanager
def hands(plane: ControlPlane) -> Iterator[Hands]:
    """Yield administrators; at the end, what they have not begun is left undone."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(plane.client()) for _ in range(HANDS)]
        pool = futures.ThreadPoolExecutor(HANDS, "hand")
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        yield Hands(clients, pool)
