"""Everything that demo and tests need on the cluster, in order; may be run as often as you like."""

import concurrent.futures
import contextlib
from collections.abc import Iterator
from typing import Final

from tools.cluster import cache, progress, providers, settings

from e2e.suite import (
    access,
    crds,
    dataplanes,
    diagnosis,
    helm,
    images,
    kube,
    names,
    releases,
    surroundings,
    wait,
)

NAMESPACES: Final = (names.SYSTEM, names.COMPANIONS, names.INGRESS)
DEPLOYMENTS: Final = (
    (names.INGRESS, names.INGRESS),
    (names.SYSTEM, names.PROMETHEUS),
    (names.SYSTEM, names.CONTROLLER),
    (names.COMPANIONS, names.LOADTESTER),
    (names.COMPANIONS, names.GATEKEEPER),
    (names.COMPANIONS, names.HELMTESTER),
)
READY_SECONDS: Final = 240.0


def up() -> access.Access:
    """Bring up the cluster and the suite; return at once where both are there.

    Raises:
        SuiteError, ClusterError, Deviation: it was not possible; the text says why.
    """
    cluster = providers.chosen()
    with _alone():
        # The first time, both take minutes and leave a core idle now and then.
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            preparing = pool.submit(cluster.prepare)
            found = images.built()
            preparing.result()
        cluster.up()
        reach = access.current()
        images.load(found)
        api = kube.Kube(reach.kubeconfig)
        try:
            _install(reach, api, found)
        finally:
            api.close()
    return reach


def down() -> None:
    """Remove the suite; the cluster stays."""
    reach = access.current()
    api = kube.Kube(reach.kubeconfig)
    for plane in dataplanes.DATA_PLANES.values():
        dataplanes.remove(api, plane)
    for namespace, name in ((names.SYSTEM, names.CONTROLLER), *DEPLOYMENTS[3:]):
        reach.attempt(reach.helm, "uninstall", name, f"--namespace={namespace}")
    for body in surroundings.objects():
        api.delete(body["kind"], body["metadata"]["name"], body["metadata"].get("namespace", ""))
    for namespace in NAMESPACES:
        api.delete("Namespace", namespace)
    with progress.step("removing namespaces"):
        wait.until(
            "namespaces are gone",
            lambda: not any(api.find("Namespace", name) for name in NAMESPACES),
            seconds=READY_SECONDS,
        )


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two sessions must not build and install at the same time."""
    lock = settings.cache_directory() / "locks" / "suite"
    with cache.locked(lock, "the suite is being installed"):
        yield


def _install(reach: access.Access, api: kube.Kube, found: images.Images) -> None:
    with progress.step("installing the suite") as step:
        step.update("custom resource definitions")
        crds.apply(api)
        for namespace in NAMESPACES:
            api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        step.update("Traefik and Prometheus")
        for body in surroundings.objects(found):
            api.apply(body)
        step.update("Helm charts")
        wanted = releases.all_of(found)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda release: helm.ensure(reach, api, release), wanted))

        def ready() -> bool:
            missing = _unready(api)
            step.update(f"waiting for {', '.join(missing)}")
            return not missing

        wait.until(
            "the suite is ready",
            ready,
            seconds=READY_SECONDS,
            pause=0.5,
            state=lambda: _state(api),
        )


def _unready(api: kube.Kube) -> list[str]:
    return [
        f"{namespace}/{name}"
        for namespace, name in DEPLOYMENTS
        if not kube.rolled_out(api.find("Deployment", name, namespace))
    ]


def _state(api: kube.Kube) -> str:
    lines = [f"not ready: {', '.join(_unready(api))}"]
    for namespace in NAMESPACES:
        lines += [
            f"{namespace}/{pod['metadata']['name']}: {diagnosis.trouble(pod)}"
            for pod in api.select("Pod", namespace)
        ]
    return "\n".join(lines)
