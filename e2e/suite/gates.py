"""Opens and closes gates as a person does: with curl, from a pod of the cluster."""

from e2e.suite import access, names, podinfo, wait


def change(reach: access.Access, namespace: str, verb: str) -> None:
    """Open or close (`open`, `close`) the gate of the Canary in a namespace."""
    status = ask(reach, namespace, f"/gate/{verb}")
    wait.expect(f"gatekeeper answers /gate/{verb}", holds=status == 202, found=status)


def ask(reach: access.Access, namespace: str, path: str) -> int:
    """Post to the gatekeeper and return the status."""
    done = reach.run(reach.kubectl, *command(namespace, path))
    return int(done.strip()[-3:])


def command(namespace: str, path: str) -> list[str]:
    """Return the arguments of kubectl."""
    url = f"http://{names.GATEKEEPER}.{names.COMPANIONS}{path}"
    pod = f"--namespace={names.COMPANIONS}", f"deployment/{names.LOADTESTER}"
    curl = ["curl", "-sS", "-m", "10", "-w", "%{http_code}", "-d", podinfo.payload(namespace), url]
    return ["exec", *pod, "--", *curl]
