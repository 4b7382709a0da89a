"""The version of the suite: charts, images and docs are checked against it."""

__version__ = "0.1.0"
