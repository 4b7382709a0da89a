"""Visitors with a cookie jar, as browsers are: one connection each, requests one after another."""

import contextlib
import http.client
import http.cookies

from e2e.suite import load


class Visitor:
    """One person who asks again and again. Cookies are kept until they are told to be expired."""

    def __init__(self, address: load.Address) -> None:
        self._address = address
        self.cookies: dict[str, str] = {}
        self.versions: list[str] = []
        """Of the application, one an answer."""

    def ask(self, times: int = 1) -> None:
        """Send requests.

        Raises:
            AssertionError: an answer was no success.
            OSError, http.client.HTTPException: there was no answer.
        """
        address = self._address
        with contextlib.closing(
            http.client.HTTPConnection(address.host, address.port, timeout=load.SECONDS)
        ) as connection:
            for _ in range(times):
                self._ask(connection)

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        headers = {"Host": self._address.name}
        if self.cookies:
            pairs = (f"{name}={value}" for name, value in self.cookies.items())
            headers["Cookie"] = "; ".join(pairs)
        connection.request("GET", self._address.path, headers=headers)
        response = connection.getresponse()
        response.read()
        assert response.status == 200, f"a visitor got {response.status}"
        self.versions.append(response.getheader("X-Version") or "")
        for text in response.headers.get_all("Set-Cookie", []):
            self._keep(text)

    def _keep(self, text: str) -> None:
        for name, morsel in http.cookies.SimpleCookie(text).items():
            age = morsel["max-age"]
            if age and int(age) <= 0:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value
