"""The application for gunicorn, built from the environment."""

import os

from . import create_app, settings

_settings = settings.from_environ()
app = create_app(_settings, settings.program(_settings, os.environ), os.environ)
