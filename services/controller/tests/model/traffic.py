"""Where clients get to, by the rules of the data plane in force."""

from flagger_controller.api.canary import Canary
from flagger_controller.cluster.fake import FakeApi

from .dataplanes import DATA_PLANES, Sight, Split


def splits(api: FakeApi, canary: Canary, provider: str) -> list[Split]:
    """Every rule of the route in force; none while there is no route that can be read here."""
    read = DATA_PLANES.get(provider)
    return read(Sight(api.memory.objects, canary)) if read else []


def exposed(rules: list[Split], canary: Canary) -> int:
    """Percent of the requests of a client like any other that get to the canary.

    The last rule is the one without further conditions.
    """
    return rules[-1].get(canary.canary_service, 0) if rules else 0
