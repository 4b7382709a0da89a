"""The locustfile of a test that brings none: every user gets all paths, once a second.

Redirects are not followed: a target decides nothing about other hosts. Read by Locust, never
imported by the load tester.
"""

from argparse import ArgumentParser

from locust import HttpUser, constant_pacing, events, task


@events.init_command_line_parser.add_listener
def add_options(parser: ArgumentParser) -> None:
    """Declare the paths."""
    parser.add_argument("--paths", default="/", help="Paths to get, with commas between them.")


class Visitor(HttpUser):
    """Paced, so that the load follows the number of users and not the speed of the target."""

    wait_time = constant_pacing(1)

    @task
    def visit(self) -> None:
        """Get the paths one after another."""
        for path in self.environment.parsed_options.paths.split(","):
            self.client.get(path, allow_redirects=False)
