"""The application for gunicorn, configured by the ``LOADTESTER_*`` variables that `cli` sets."""

from . import cli, create_app, runner

_settings = cli.settings()
app = create_app(_settings, runner.Runner(_settings.limits()))
