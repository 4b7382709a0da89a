"""The places for ticks, some of which are kept for releases. Pure."""

from typing import Final

from flagger_controller.urgency import Level

KEPT: Final = 4
"""One place in so many is for releases alone: a thousand start-ups that wait for the API server
leave room for a release that is due."""


class Room:
    """Counts who has a place."""

    def __init__(self, places: int) -> None:
        """Make it, empty."""
        self._places = places
        self._shared = places - places // KEPT
        self._taken = 0
        self._others = 0
        """Those of them that are no releases."""

    def enter(self, level: Level, places: int = 1) -> None:
        """Take places; whoever has waited outside gets one even if there is none free."""
        self._taken += places
        if level is not Level.RELEASE:
            self._others += places

    def leave(self, level: Level, places: int = 1) -> None:
        """Give places back."""
        self.enter(level, -places)

    def admits(self) -> Level | None:
        """The least urgent level for which there is a place; None: there is none at all."""
        if self._taken >= self._places:
            return None
        return Level.START if self._others < self._shared else Level.RELEASE
