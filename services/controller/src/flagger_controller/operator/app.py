"""The process: starts everything in order, runs until told to stop, takes everything down.

The only place where clients, tasks and signal handlers are made.
"""

import asyncio
import gc
import itertools
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any, Final, cast

import kopf

from flagger_common import logs
from flagger_common.version import __version__
from flagger_controller import net, secrecy
from flagger_controller.api.base import Object
from flagger_controller.cluster import login, resources, sockets
from flagger_controller.cluster.client import ApiError, ApiNotFound, Resource
from flagger_controller.cluster.http import HttpClient, HttpSettings
from flagger_controller.errors import ConfigError, FlaggerError
from flagger_controller.metrics.recorder import CONTENT_TYPE, Recorder
from flagger_controller.operator import handlers, wiring
from flagger_controller.operator.clients import Clients, candidate, mesh_client
from flagger_controller.operator.server import Server
from flagger_controller.operator.settings import Settings
from flagger_controller.operator.store import key_of
from flagger_controller.proxies import Proxies
from flagger_controller.tick.pace import RESYNC

logger = logging.getLogger(__name__)

GARBAGE: Final = 10_000
"""New objects until the youngest are looked through for cycles, which are few here: with Python's
700 all objects of a large fleet are looked through every few seconds, while nothing else runs."""
_OURS: Final = (resources.CANARIES, resources.METRIC_TEMPLATES, resources.ALERT_PROVIDERS)


def run(settings: Settings) -> int:
    """Run until stopped; the exit code of the process."""
    sockets.save_memory()
    gc.freeze()  # what was imported stays: no collection need look at it again
    gc.set_threshold(GARBAGE)
    logs.setup(settings.log_level, settings.zap_encoding)
    logging.getLogger("kopf").setLevel(logging.WARNING)
    text = "Starting flagger version %s revision %s mesh provider %s"
    logger.info(text, __version__, "python", settings.mesh_provider)
    try:
        connection = login.load(
            settings.kubeconfig or os.environ.get("KUBECONFIG", ""), settings.master
        )
    except ConfigError as error:
        logger.critical("Error building kubeconfig: %s", error)
        return 1
    try:
        return asyncio.run(_main(settings, connection))
    except ConfigError as error:
        logger.critical("Error building kubeconfig: %s", error)
        return 1


async def _main(settings: Settings, connection: login.Login) -> int:
    async with AsyncExitStack() as stack:
        recorder = Recorder(__version__, settings.mesh_provider)
        heard = recorder.process.asked
        limits = HttpSettings(qps=settings.kubeconfig_qps, burst=settings.kubeconfig_burst)
        client = HttpClient(connection, limits, heard=heard)
        stack.push_async_callback(client.close)
        # In the queue of a busy client they might come too late.
        renewals = HttpClient(connection, heard=heard)
        stack.push_async_callback(renewals.close)
        if not await _usable(client, settings.scopes):
            return 1
        mesh = await mesh_client(settings, limits, heard, stack)
        http = await stack.enter_async_context(net.Http(Proxies.from_environment(os.environ)))
        clients = Clients(client, renewals, mesh)
        recorder.process.watch_queue("requests", lambda: clients.waiting)
        process = Process(settings, connection, clients, http, recorder)
        return await process.serve(stack)


async def _usable(client: HttpClient, scopes: Iterable[str]) -> bool:
    """Is this a cluster that we can work in? Says why not (install.md section 2)."""
    try:
        version = await client.read("/version")
        logger.info("Connected to Kubernetes API %s", version.get("gitVersion"))
        for resource, namespace in itertools.product(_OURS, scopes):
            try:
                await client.page(resource, namespace, limit=1)
            except ApiNotFound as error:
                logger.critical("%s CRD is not registered %s", resource.kind, error)
                return False
    except ApiError as error:
        logger.critical("Error connecting to the Kubernetes API: %s", error)
        return False
    return True


class Process:
    """One replica."""

    def __init__(
        self,
        settings: Settings,
        connection: login.Login,
        clients: Clients,
        http: net.Http,
        recorder: Recorder,
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._client = clients.local
        self._recorder = recorder
        self._elector = candidate(settings, clients.renewals)
        self._engine = wiring.build(
            settings,
            clients.fenced(self._elector),
            http,
            self._recorder,
            own_references=clients.one_cluster,
        )
        self._feed = handlers.Feed(
            self._engine.canaries,
            self._engine.templates,
            wake=self._engine.pool.wake,
            gone=self._engine.forget,
            counted=self._recorder.set_total,
            shard=settings.shard,
        )
        self._stopping = asyncio.Event()
        self._watching = asyncio.Event()
        self._code = 0

    async def serve(self, stack: AsyncExitStack) -> int:
        """Everything in order, until a signal, a lost Lease or a failure."""
        for namespace in self._settings.namespace:
            logger.info("Watching namespace %s", namespace)
        if self._settings.shard.count > 1:
            logger.info("Ticking the canaries of shard %s", self._settings.shard)
        await self._probe_metrics_server()
        server = Server(
            self._settings.port,
            metrics=self._recorder.page,
            content_type=CONTENT_TYPE,
            ready=self._watching.is_set,
        )
        try:
            await server.start()
        except OSError as error:
            logger.critical("HTTP server crashed %s", error)
            return 1
        stack.push_async_callback(server.stop)
        logger.info("Starting operator")
        await self._read_references()
        stop_watching = asyncio.Event()
        watch = self._start(self._watch(stop_watching), "watch")
        working = [
            self._start(self._lead(), "lead"),
            *(self._start(outbox.run(), "outbox") for outbox in self._engine.outboxes),
            self._start(self._sweep(), "sweep"),
        ]
        await self._until_stopped()
        logger.info("Shutting down operator workers")
        working[0].cancel()
        await asyncio.gather(working[0], return_exceptions=True)
        await self._engine.close()
        for task in working:
            task.cancel()
        stop_watching.set()
        await asyncio.gather(*working, watch, return_exceptions=True)
        return self._code

    async def _until_stopped(self) -> None:
        """Wait for the end; signals are ours once kopf, which takes them too, has started."""
        started = asyncio.ensure_future(self._watching.wait())
        stopped = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({started, stopped}, return_when=asyncio.FIRST_COMPLETED)
        self._handle_signals()
        await stopped
        started.cancel()

    def _handle_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self._stopping.is_set():
            os._exit(1)  # the second signal: at once, as upstream
        self._stopping.set()

    def _stop(self, code: int) -> None:
        self._code = code
        self._stopping.set()

    def _start(self, work: Awaitable[None], name: str) -> asyncio.Task[None]:
        """Run a part of the process; when it fails, the process ends with code 1."""

        async def guarded() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except Exception:
                logger.exception("%s failed, the process ends", name)
                self._stop(1)

        return asyncio.create_task(guarded(), name=name)

    async def _read_references(self) -> None:
        """Know templates and alert providers before the first tick."""
        for body in await self._all(resources.METRIC_TEMPLATES):
            self._feed.template(None, body)
        for body in await self._all(resources.ALERT_PROVIDERS):
            self._feed.provider(None, body)

    async def _all(self, resource: Resource) -> list[Object]:
        """Every object of a kind in the namespaces that we watch."""
        lists = [await self._client.list(resource, scope) for scope in self._settings.scopes]
        return [body for bodies in lists for body in bodies]

    async def _probe_metrics_server(self) -> None:
        address = self._settings.metrics_server
        try:
            await self._engine.evaluator.probe()
        except FlaggerError as error:
            logger.error("Metrics server %s unreachable %s", secrecy.public(address), error)
        else:
            logger.info("Connected to metrics server %s", secrecy.public(address))

    async def _watch(self, stop: asyncio.Event) -> None:
        """Feed the stores from the watch of our three kinds."""
        namespaces = self._settings.namespace
        await kopf.operator(
            registry=handlers.registry(self._feed, self._connection, self._recorder.process.asked),
            settings=handlers.settings(),
            standalone=True,
            identity=cast("Any", "flagger"),  # kopf asks the system for a user name otherwise
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=stop,
            ready_flag=self._watching,
        )
        if not self._stopping.is_set():
            logger.critical("the watch of canaries has ended, the process ends")
            self._stop(1)

    async def _lead(self) -> None:
        """Tick canaries: at once, or while holding the Lease."""
        if self._elector is None:
            self._recorder.lead()
            await self._work()
            return
        working: list[asyncio.Task[None]] = []

        def elected() -> None:
            self._recorder.lead()
            working.append(self._start(self._work(), "ticks"))

        try:
            await self._elector.run(elected, on_lost=lambda: self._stop(1))
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    async def _work(self) -> None:
        logger.info("Started operator workers")
        await self._engine.pool.run()

    async def _sweep(self) -> None:
        """Forget canaries whose deletion the watch missed."""
        while True:
            await asyncio.sleep(RESYNC)
            await self._retry(self._forget_missing)

    async def _forget_missing(self) -> None:
        known = self._engine.canaries.keys() | self._engine.canaries.strangers.keys()
        bodies = await self._all(resources.CANARIES)
        for key in known - {key_of(body) for body in bodies}:
            self._feed.forget(key)

    async def _retry(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except ApiError as error:
            logger.warning("%s; trying again later", error)
