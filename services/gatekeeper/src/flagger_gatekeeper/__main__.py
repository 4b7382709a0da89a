"""`python -m flagger_gatekeeper`: read the flags, then become gunicorn with one worker."""

import logging
from typing import Any

import click

from flagger_common import flags, logs, serving, version

from . import rules, settings

logger = logging.getLogger(__name__)


@click.command(context_settings=dict(flags.CONTEXT))
@settings.options
def main(**values: Any) -> None:
    """Serve manual gates for canary analyses."""
    chosen = settings.Settings(**values)
    try:
        settings.defaults(chosen)
        rules.Rulebook.parse(chosen.rules)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    logs.setup(chosen.log_level, chosen.zap_encoding)
    logger.info("Starting gatekeeper v%s API on port %s", version.__version__, chosen.port)
    server = serving.Server(
        app="flagger_gatekeeper.wsgi:app",
        port=chosen.port,
        threads=settings.THREADS,
        graceful_seconds=settings.GRACEFUL_SECONDS,
        log_level=chosen.log_level,
        log_encoding=chosen.zap_encoding,
    )
    server.exec(flags.environ(settings.SERVICE, chosen))


if __name__ == "__main__":
    main()
