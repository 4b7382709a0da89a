"""What a weight means, counted at a client."""

from e2e.suite import access, history, podinfo
from e2e.tests import plays


def test_one_fifth_of_the_answers(
    app: podinfo.App, past: history.History, reach: access.Access
) -> None:
    app.route()
    plays.by_weight(app, past, reach, plays.BUILT_IN)
