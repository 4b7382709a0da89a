"""Graphite's web application behind a login: a program for the Python that has it, not for ours.

graphite_front.py PORT AUTHORIZATION
"""

import importlib
import sys
from collections.abc import Iterable
from wsgiref import simple_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def guarded(application: WSGIApplication, login: str) -> WSGIApplication:
    """The application for who knows the login; others are told what they tried."""

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        given = environ.get("HTTP_AUTHORIZATION", "nobody")
        if given == login:
            return application(environ, start)
        start("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="graphite"')])
        return [f"{given} may not".encode()]

    return answer


if __name__ == "__main__":
    port, login = sys.argv[1:]
    graphite: WSGIApplication = importlib.import_module("graphite.wsgi").application
    simple_server.make_server("127.0.0.1", int(port), guarded(graphite, login)).serve_forever()
