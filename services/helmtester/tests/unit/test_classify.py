"""Helm's and the API server's own words, and what they mean."""

import pytest

from flagger_helmtester import classify
from flagger_helmtester.outcome import Result

POD = "NAME: podinfo\nLAST DEPLOYED: Mon\nTEST SUITE:     smoke\nPhase:          Failed\n"
USER = 'User "system:serviceaccount:flagger:flagger-helmtester"'


@pytest.mark.parametrize(
    ("output", "result", "missing"),
    [
        ("", Result.FAILED, ""),
        (POD + "Error: 1 error occurred:\n\t* pod smoke failed\n\n", Result.FAILED, ""),
        ("Error: 1 error occurred:\n\t* job smoke failed: BackoffLimitExceeded\n",
         Result.FAILED, ""),
        ("Error: release: not found\n", Result.RELEASE_NOT_FOUND, ""),
        (POD + "Error: 1 error occurred:\n\t* timed out waiting for the condition\n\n",
         Result.TIMEOUT, ""),
        ("Error: context deadline exceeded\n", Result.TIMEOUT, ""),
        ("Error: query: failed to query with labels: secrets is forbidden: "
         f'{USER} cannot list resource "secrets" in API group "" in the namespace "test"\n',
         Result.FORBIDDEN, "list secrets"),
        ('Error: warning: Hook test podinfo/templates/smoke.yaml failed: 1 error occurred:\n'
         f'\t* pods is forbidden: {USER} cannot create resource "pods" in API group "" in the '
         'namespace "test"\n\n', Result.FORBIDDEN, "create pods"),
        (POD + f'\nError: unable to get pod logs for smoke: pods "smoke" is forbidden: {USER} '
         'cannot get resource "pods/log" in API group "" in the namespace "test"\n',
         Result.FORBIDDEN, "get pods/log"),
        ('Error: Kubernetes cluster unreachable: forbidden: User "system:anonymous" cannot get '
         'path "/version"\n', Result.FORBIDDEN, "get /version"),
        ('Error: warning: Hook test x failed: pods "smoke" is forbidden: exceeded quota: small\n',
         Result.FORBIDDEN, ""),
        ("Error: Kubernetes cluster unreachable: unknown\n", Result.UNAVAILABLE, ""),
        ('Error: Kubernetes cluster unreachable: Get "https://10.0.0.1:443/version": dial tcp '
         "10.0.0.1:443: i/o timeout\n", Result.UNAVAILABLE, ""),
        ("Error: Kubernetes cluster unreachable: the server has asked for the client to provide "
         "credentials\n", Result.UNAVAILABLE, ""),
        ('Error: query: failed to query with labels: Get "https://10.0.0.1:443/api": dial tcp '
         "10.0.0.1:443: connect: connection refused\n", Result.UNAVAILABLE, ""),
        # What a test prints is not what Helm says.
        ("POD LOGS: smoke\nError: release: not found\n\n"
         "Error: 1 error occurred:\n\t* pod smoke failed\n", Result.FAILED, ""),
        ("release: not found in the shop\n", Result.FAILED, ""),
    ],
)  # fmt: skip
def test_failures_are_told_apart(output: str, result: Result, missing: str) -> None:
    assert classify.failure(output) == (result, missing)


@pytest.mark.parametrize(
    ("result", "default", "other"),
    [
        (Result.PASSED, 200, 200),
        (Result.FAILED, 500, 422),
        (Result.FORBIDDEN, 500, 422),
        (Result.RELEASE_NOT_FOUND, 500, 404),
        (Result.TIMEOUT, 500, 504),
        (Result.REFUSED, 400, 400),
        (Result.OVERLOADED, 429, 429),
        (Result.UNAVAILABLE, 503, 503),
    ],
)
def test_each_result_has_a_status(result: Result, default: int, other: int) -> None:
    assert classify.status(result) == default
    assert classify.status(result, 422) == other
