"""What can go wrong in a measurement, other than in the programs around it."""


class Unfinished(Exception):
    """A controller did not get done, or could not be observed; the text is for the terminal."""
