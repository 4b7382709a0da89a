"""Namespaces of tests: made for one application, deleted whatever happens to the test."""

import contextlib
import re
import secrets
from collections.abc import Iterator, Sequence
from typing import Final

from e2e.suite import history, kube, podinfo, wait

PREFIX = "e2e-"
GONE_SECONDS: Final = 180.0


class Maker:
    """Makes applications, each in a namespace of its own that ends with the maker."""

    def __init__(self, api: kube.Kube, entry: tuple[str, int], title: str) -> None:
        slug = re.sub(r"[^a-z0-9]+", "-", title.removeprefix("test_").lower())
        self._slug = slug[:30].strip("-")
        self._api = api
        self._entry = entry
        self._stack = contextlib.ExitStack()
        self.made: list[tuple[podinfo.App, history.History]] = []

    def __call__(self) -> tuple[podinfo.App, history.History]:
        """Return an application, not yet deployed, and a watch on its Canary."""
        namespace = self._stack.enter_context(self._namespace())
        app = podinfo.App(self._api, namespace, self._entry)
        past = self._stack.enter_context(history.History(self._api, namespace))
        self.made.append((app, past))
        return app, past

    @contextlib.contextmanager
    def _namespace(self) -> Iterator[str]:
        name = f"{PREFIX}{self._slug}-{secrets.token_hex(2)}"
        self._api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        try:
            yield name
        finally:
            # Nobody waits for it here; the session does at its end.
            self._api.delete("Namespace", name)

    def close(self) -> None:
        """Delete the namespaces."""
        self._stack.close()


def gone(api: kube.Kube, names: Sequence[str]) -> None:
    """Wait until namespaces that were deleted are gone, with all that was in them."""

    def left() -> list[str]:
        return [name for name in names if api.find("Namespace", name)]

    wait.until(
        "the namespaces of the tests are gone",
        lambda: not left(),
        seconds=GONE_SECONDS,
        pause=1.0,
        state=lambda: f"left: {', '.join(left())}",
    )
