"""The application for gunicorn, built from the environment."""

from . import create_app, settings

_settings = settings.from_environ()
app = create_app(_settings, settings.open_store(_settings))
