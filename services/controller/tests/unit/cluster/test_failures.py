"""How each failure of the API is told apart: its class, its text, and whether it is tried again."""

import asyncio
import socket
import ssl
from dataclasses import dataclass

import pytest

from flagger_controller.cluster import resources
from flagger_controller.cluster.client import (
    CLASSES,
    ApiConflict,
    ApiError,
    ApiNotFound,
    ApiUnauthorized,
    ApiUnavailable,
    Call,
    Ref,
    api_error,
)
from flagger_controller.cluster.failures import TEXTS, Kind
from flagger_controller.cluster.http import HttpClient, HttpSettings
from flagger_controller.cluster.login import Login
from flagger_controller.cluster.wire import RETRY_AFTER_MOST, failure
from flagger_controller.errors import Retriable

from .server import Answer, serving, silent
from .world import deployment

PATCH = Call("patch", deployment())
CANNOT = (
    'deployments.apps "cart" is forbidden: User "system:serviceaccount:ops:flagger" cannot patch '
    'resource "deployments" in API group "apps" in the namespace "shop"'
)
GOING = "cannot create in namespace shop because it is being terminated"
UNKNOWN = "the server could not find the requested resource"
RULE = 'apiGroups: ["apps"], resources: ["deployments"], verbs: ["patch"]'
WHO = "patch deployments.apps cart.shop: "
STATUS = '{"kind": "Status", "reason": "%s", "message": "%s"}'


@dataclass(frozen=True)
class Case:
    """An answer, and what is made of it."""

    code: int
    reason: str
    message: str
    kind: Kind
    type: type[ApiError]
    starts: str
    ends: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.kind}"


CASES = (
    Case(400, "BadRequest", "no", Kind.REJECTED, ApiError, f"{WHO}no"),
    Case(401, "Unauthorized", "Unauthorized", Kind.UNAUTHORIZED, ApiUnauthorized, WHO, "account"),
    Case(403, "Forbidden", CANNOT, Kind.FORBIDDEN, ApiError, CANNOT, RULE),
    Case(403, "Forbidden", "exceeded quota", Kind.DENIED, ApiError, WHO, "refused this"),
    Case(403, "Forbidden", GOING, Kind.TERMINATING, ApiError, GOING),
    Case(404, "NotFound", "cart not found", Kind.NOT_FOUND, ApiNotFound, "cart not found"),
    Case(404, "NotFound", UNKNOWN, Kind.NOT_SERVED, ApiNotFound, WHO, "CustomResourceDefinition"),
    Case(408, "Timeout", "late", Kind.TIMEOUT, ApiUnavailable, f"{WHO}late"),
    Case(409, "Conflict", "was modified", Kind.CONFLICT, ApiConflict, "was modified"),
    Case(409, "AlreadyExists", "exists", Kind.CONFLICT, ApiConflict, "exists"),
    Case(410, "Expired", "too old", Kind.EXPIRED, ApiError, f"{WHO}too old"),
    Case(422, "Invalid", "spec.x: required", Kind.INVALID, ApiError, f"{WHO}spec.x: required"),
    Case(429, "", "later", Kind.BUSY, ApiUnavailable, f"{WHO}the API server is busy: later"),
    Case(500, "InternalError", "etcd", Kind.UNAVAILABLE, ApiUnavailable, f"{WHO}etcd"),
    Case(500, "ServerTimeout", "slow", Kind.TIMEOUT, ApiUnavailable, f"{WHO}slow"),
    Case(503, "ServiceUnavailable", "down", Kind.UNAVAILABLE, ApiUnavailable, f"{WHO}down"),
    Case(504, "Timeout", "slow", Kind.TIMEOUT, ApiUnavailable, f"{WHO}slow"),
)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_answers(case: Case) -> None:
    body = STATUS % (case.reason, case.message.replace('"', '\\"'))
    error = failure(PATCH, case.code, "", body.encode(), "")
    assert type(error) is case.type
    assert error.kind is case.kind
    assert str(error).startswith(case.starts)
    assert str(error).endswith(case.ends)
    assert error.fields == {
        "error": str(case.kind),
        "code": case.code,
        "verb": "patch",
        "resource": "deployments.apps",
        "namespace": "shop",
        "object": "cart",
    }


def test_what_is_part_of_normal_life_is_quiet_and_the_rest_is_not() -> None:
    quiet = {case.kind for case in CASES if api_error(case.code, case.reason, case.message).quiet}
    assert quiet == {Kind.CONFLICT, Kind.EXPIRED, Kind.TERMINATING}


def test_what_somebody_has_to_mend_is_told_and_the_rest_is_tried_again_quietly() -> None:
    told = {kind for kind, made in CLASSES.items() if not issubclass(made, Retriable)}
    assert told - {Kind.NOT_FOUND, Kind.NOT_SERVED, Kind.EXPIRED, Kind.TERMINATING} == {
        Kind.FORBIDDEN,
        Kind.DENIED,
        Kind.INVALID,
        Kind.REJECTED,
    }
    assert set(CLASSES) == set(TEXTS) == set(Kind)


@pytest.mark.parametrize(
    ("call", "text", "rule"),
    [
        (
            Call("patch", Ref(resources.CANARIES, "cart", "shop"), "status"),
            "patch canaries.flagger.app/status cart.shop",
            'apiGroups: ["flagger.app"], resources: ["canaries/status"], verbs: ["patch"]',
        ),
        (
            Call("list", Ref(resources.AUTOSCALERS, "", "shop")),
            "list horizontalpodautoscalers.autoscaling in shop",
            'apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: ["list"]',
        ),
        (
            Call("watch", Ref(resources.SERVICES, "")),
            "watch services in all namespaces",
            'apiGroups: [""], resources: ["services"], verbs: ["watch"]',
        ),
        (
            Call("get", "/version"),
            "get /version",
            'nonResourceURLs: ["/version"], verbs: ["get"]',
        ),
    ],
)
def test_calls_are_named_in_the_words_of_access_rules(call: Call, text: str, rule: str) -> None:
    assert str(call) == text
    assert call.rule == rule


@pytest.mark.parametrize("body", [b"<html>not here</html>", b'{"message": "no route"}', b""])
def test_a_proxy_that_knows_no_objects_does_not_make_them_absent(body: bytes) -> None:
    error = failure(PATCH, 404, "Not Found", body, "")
    assert type(error) is ApiUnavailable
    assert error.kind is Kind.UNREADABLE
    assert "unreadable answer from the API server: 404" in str(error)


def test_an_api_group_that_is_not_installed() -> None:
    assert failure(PATCH, 404, "", b"404 page not found\n", "").kind is Kind.NOT_SERVED


def test_patience_has_a_limit() -> None:
    assert failure(PATCH, 429, "", b"", "7").retry_after == 7
    assert failure(PATCH, 429, "", b"", "86400").retry_after == RETRY_AFTER_MOST
    assert failure(PATCH, 429, "", b"", "tomorrow").retry_after == 0


async def refused(login: Login, patience: float = 5.0) -> ApiUnavailable:
    """What a write to a place raises."""
    client = HttpClient(login, HttpSettings(timeout=patience))
    try:
        with pytest.raises(ApiUnavailable) as caught:
            await client.patch(deployment(), {})
    finally:
        await client.close()
    assert caught.value.fields["object"] == "cart"
    return caught.value


async def page(answer: Answer) -> ApiUnavailable:
    async with serving(answer) as script:
        return await refused(Login(script.url), patience=0.05)


async def test_no_answer() -> None:
    error = await page(silent())
    assert error.kind is Kind.TIMEOUT
    assert str(error) == f"{WHO}no answer from the API server within 0.05 s"


async def test_nobody_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        error = await refused(Login(f"http://127.0.0.1:{closed.getsockname()[1]}"))
    assert error.kind is Kind.UNREACHABLE
    assert str(error).startswith(f"{WHO}no connection to the API server: ")


async def test_a_name_that_does_not_exist() -> None:
    error = await refused(Login("http://api.invalid:6443"))
    assert error.kind is Kind.DNS
    assert "the name of the API server cannot be resolved" in str(error)
    assert "api.invalid" in str(error)


async def test_a_server_that_does_not_speak_tls() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await refused(Login(f"https://127.0.0.1:{port}", ssl.create_default_context()))
    assert error.kind is Kind.TLS
    assert "check certificate-authority in the kubeconfig" in str(error)
