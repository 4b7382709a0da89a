import base64
import datetime
import pathlib
import ssl
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flagger_controller.cluster.login import TokenFile, load
from flagger_controller.errors import ConfigError


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="module")
def pair() -> tuple[str, str]:
    """A certificate and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


def write(folder: pathlib.Path, cluster: dict[str, Any], user: dict[str, Any]) -> str:
    path = folder / "config"
    document = {
        "clusters": [
            {"name": "other", "cluster": {"server": "https://other"}},
            {"name": "c", "cluster": {"server": "https://kube.example.org:6443/", **cluster}},
        ],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_token(tmp_path: pathlib.Path) -> None:
    login = load(write(tmp_path, {"tls-server-name": "kubernetes"}, {"token": "secret"}))
    assert login.server == "https://kube.example.org:6443"
    assert login.authorization() == "Bearer secret"
    assert login.server_name == "kubernetes"
    assert login.proxy == ""
    assert "secret" not in repr(login)
    assert login.tls is not None
    assert login.tls.verify_mode is ssl.CERT_REQUIRED


def test_master_overrides_the_address(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, {}, {"token": "secret"})
    login = load(path, "https://elsewhere:1/")
    assert (login.server, login.authorization()) == ("https://elsewhere:1", "Bearer secret")
    assert load("", "http://127.0.0.1:8001").authorization() == ""


def test_basic(tmp_path: pathlib.Path) -> None:
    login = load(write(tmp_path, {}, {"username": "me", "password": "pw"}))
    assert login.authorization() == f"Basic {encoded('me:pw')}"


def test_nobody(tmp_path: pathlib.Path) -> None:
    assert load(write(tmp_path, {}, {})).authorization() == ""


def test_a_token_file_beside_the_kubeconfig(tmp_path: pathlib.Path) -> None:
    (tmp_path / "token").write_text("from file\n")
    login = load(write(tmp_path, {}, {"tokenFile": "token"}))
    assert login.authorization() == "Bearer from file"


@pytest.mark.parametrize("files", [False, True])
def test_certificates(tmp_path: pathlib.Path, pair: tuple[str, str], files: bool) -> None:
    certificate, key = pair
    cluster: dict[str, str]
    if files:
        (tmp_path / "ca.pem").write_text(certificate)
        (tmp_path / "key.pem").write_text(key)
        cluster = {"certificate-authority": "ca.pem"}
        user = {"client-certificate": str(tmp_path / "ca.pem"), "client-key": "key.pem"}
    else:
        cluster = {"certificate-authority-data": encoded(certificate)}
        user = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    login = load(write(tmp_path, cluster, user))
    assert login.tls is not None
    assert login.tls.cert_store_stats()["x509"] == 1


def test_insecure(tmp_path: pathlib.Path) -> None:
    login = load(write(tmp_path, {"insecure-skip-tls-verify": True}, {}))
    assert login.tls is not None
    assert login.tls.verify_mode is ssl.CERT_NONE


def test_proxies(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configured = write(tmp_path, {"proxy-url": "http://proxy.example.org:3128"}, {})
    assert load(configured).proxy == "http://proxy.example.org:3128"
    plain = write(tmp_path, {}, {})
    monkeypatch.setenv("https_proxy", "http://from-environment:3128")
    assert load(plain).proxy == "http://from-environment:3128"
    monkeypatch.setenv("no_proxy", "kube.example.org")
    assert load(plain).proxy == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("current-context: x", "there is no context 'x'"),
        ("[]", "config"),
        ("{", "config"),
        ("{contexts: [{name: '', context: {cluster: c}}]}", "there is no cluster 'c'"),
    ],
)
def test_unusable_files(tmp_path: pathlib.Path, text: str, message: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load(str(path))


def test_absent_files(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(str(tmp_path / "absent"))
    with pytest.raises(ConfigError, match="No such file"):
        load(write(tmp_path, {"certificate-authority": "absent"}, {}))


@pytest.mark.parametrize(
    ("cluster", "user", "message"),
    [
        ({"server": ""}, {}, "no server"),
        ({}, {"exec": {"command": "aws"}}, "exec plug-ins are not supported"),
        ({"certificate-authority-data": encoded("nonsense")}, {}, "unusable certificate"),
        ({"certificate-authority-data": "%"}, {}, "config"),
    ],
)
def test_unusable_entries(
    tmp_path: pathlib.Path, cluster: dict[str, Any], user: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load(write(tmp_path, cluster, user))


def test_in_cluster(tmp_path: pathlib.Path, pair: tuple[str, str]) -> None:
    (tmp_path / "token").write_text("pod")
    (tmp_path / "ca.crt").write_text(pair[0])
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
    login = load(service_account=tmp_path, environment=environment)
    assert login.server == "https://[fd00::1]:443"
    assert login.authorization() == "Bearer pod"
    assert login.tls is not None
    assert login.tls.cert_store_stats()["x509"] == 1


def test_neither_here_nor_there(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="not in a cluster and no kubeconfig"):
        load(service_account=tmp_path, environment={})


def test_a_token_is_read_again_when_its_file_changes(tmp_path: pathlib.Path) -> None:
    # As the kubelet does it: a link to a folder that is replaced as a whole.
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(name)
    link = tmp_path / "data"
    link.symlink_to("first")
    token = TokenFile(link / "token")
    assert [token(), token()] == ["Bearer first"] * 2
    link.unlink()
    assert token() == "Bearer first", "in between the old one is good"
    link.symlink_to("second")
    assert token() == "Bearer second"
    with pytest.raises(OSError, match="absent"):
        TokenFile(tmp_path / "absent")()
