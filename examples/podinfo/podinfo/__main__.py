"""`python -m podinfo`: read the environment, serve until SIGTERM."""

import asyncio
import signal

from . import settings
from .app import App
from .metrics import Metrics
from .server import serve


async def run() -> None:
    """Build the world and serve."""
    config = settings.from_environment()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(App(config, Metrics(config.version)), stop)


def main() -> None:
    """Run the demo application."""
    asyncio.run(run())


if __name__ == "__main__":
    main()
