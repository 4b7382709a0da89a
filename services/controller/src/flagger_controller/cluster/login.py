"""Where the API server is and how we log in: a kubeconfig, or the service account of our pod."""

import base64
import os
import pathlib
import ssl
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

from flagger_controller.cluster.client import Object
from flagger_controller.errors import ConfigError

SERVICE_ACCOUNT: Final = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Login:
    """Everything a client needs to reach the API server."""

    server: str
    tls: ssl.SSLContext | None = None
    """None for plain HTTP."""
    authorization: Callable[[], str] = field(default=lambda: "", repr=False)
    """Value of the Authorization header for the next request; may be empty."""
    proxy: str = field(default="", repr=False)
    server_name: str = ""
    """Name to verify the server's certificate against, instead of the host's."""


class TokenFile:
    """A bearer token that is read again when its file changes; pods' tokens live an hour."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._header = ""

    def __call__(self) -> str:
        """Value of the Authorization header."""
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_ino)
            if stamp != self._stamp:
                self._header = f"Bearer {self._path.read_text().strip()}"
                self._stamp = stamp
        except OSError:
            if not self._header:
                raise
            # The file is being replaced: the old token is good for a while.
        return self._header


def load(
    kubeconfig: str = "",
    master: str = "",
    *,
    service_account: pathlib.Path = SERVICE_ACCOUNT,
    environment: Mapping[str, str] = os.environ,
) -> Login:
    """Log in as the flags say (install.md section 1); `master` overrides the address.

    Raises:
        ConfigError: no usable credentials; the text names the file and what is wrong.
    """
    if kubeconfig:
        return from_kubeconfig(pathlib.Path(kubeconfig), master)
    if master:
        return Login(master.rstrip("/"), _context({}, pathlib.Path()), proxy=_proxy(master, ""))
    return in_cluster(service_account, environment)


def in_cluster(folder: pathlib.Path, environment: Mapping[str, str]) -> Login:
    """Use the service account of the pod we run in."""
    host = environment.get("KUBERNETES_SERVICE_HOST", "")
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    token = folder / "token"
    if not host or not token.is_file():
        text = "not in a cluster and no kubeconfig: set -kubeconfig or run as a pod"
        raise ConfigError(text)
    host = f"[{host}]" if ":" in host else host
    ca = folder / "ca.crt"
    tls = ssl.create_default_context(cafile=str(ca) if ca.is_file() else None)
    return Login(f"https://{host}:{port}", tls, TokenFile(token))


def from_kubeconfig(path: pathlib.Path, master: str = "") -> Login:
    """Use the current context of a kubeconfig."""
    try:
        document = yaml.safe_load(path.read_text())
        context = _named(document, "contexts", document.get("current-context", ""), "context")
        cluster = _named(document, "clusters", context.get("cluster", ""), "cluster")
        user = _named(document, "users", context.get("user", ""), "user")
        server = (master or cluster.get("server", "")).rstrip("/")
        if not server:
            raise ConfigError("the cluster has no server")
        return Login(
            server=server,
            tls=_context(cluster | user, path.parent),
            authorization=_authorization(user, path.parent),
            proxy=_proxy(server, cluster.get("proxy-url", "")),
            server_name=cluster.get("tls-server-name", ""),
        )
    except (OSError, ValueError, AttributeError, yaml.YAMLError, ConfigError) as error:
        raise ConfigError(f"kubeconfig {path}: {error}") from error


def _named(document: Object, section: str, name: str, key: str) -> Object:
    """Find an entry of one of the three lists of a kubeconfig."""
    for entry in document.get(section) or []:
        if entry.get("name") == name:
            found: Object = entry.get(key) or {}
            return found
    raise ConfigError(f"there is no {key} {name!r}")


def _authorization(user: Object, folder: pathlib.Path) -> Callable[[], str]:
    for plugin in ("exec", "auth-provider"):
        if plugin in user:
            text = f"{plugin} plug-ins are not supported, use a token or a client certificate"
            raise ConfigError(text)
    if file := user.get("tokenFile"):
        return TokenFile(folder / file)
    header = ""
    if token := user.get("token"):
        header = f"Bearer {token}"
    elif name := user.get("username"):
        pair = f"{name}:{user.get('password', '')}"
        header = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return lambda: header


def _context(fields: Object, folder: pathlib.Path) -> ssl.SSLContext:
    """Trust and client certificate; data in the kubeconfig wins over files."""
    try:
        context = ssl.create_default_context()
        if authority := _pem(fields, "certificate-authority", folder):
            context = ssl.create_default_context(cadata=authority)
        if fields.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        certificate = _pem(fields, "client-certificate", folder)
        if certificate:
            _load_pair(context, certificate, _pem(fields, "client-key", folder))
    except ssl.SSLError as error:
        raise ConfigError(f"unusable certificate: {error}") from error
    return context


def _pem(fields: Object, name: str, folder: pathlib.Path) -> str:
    if data := fields.get(f"{name}-data"):
        return base64.b64decode("".join(data.split()), validate=True).decode()
    if file := fields.get(name):
        return (folder / str(file)).read_text()
    return ""


def _load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """OpenSSL reads client certificates from files only; ours lives as long as the call."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(f"{certificate}\n{key}\n")
        file.flush()
        context.load_cert_chain(file.name)


def _proxy(server: str, configured: str) -> str:
    """The proxy of the kubeconfig, else of the environment, as kubectl does."""
    address = urllib.parse.urlsplit(server)
    if configured or not address.hostname:
        return configured
    if urllib.request.proxy_bypass(address.hostname):
        return ""
    return urllib.request.getproxies().get(address.scheme, "")
