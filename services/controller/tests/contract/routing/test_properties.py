"""Any Service that a Canary may ask for (hypothesis)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .cases import PROVIDERS, at, canary_for, existing, router_of, routes_of, strategies, written
from .live import noisy, stored


def texts() -> st.SearchStrategy[str]:
    return st.text("abcdefg-.", min_size=1, max_size=8)


def matchers(*operators: str) -> st.SearchStrategy[dict[str, str]]:
    return st.sampled_from(operators).flatmap(
        lambda operator: st.fixed_dictionaries({operator: texts()})
    )


def services() -> st.SearchStrategy[dict[str, Any]]:
    values = matchers("exact", "regex")
    headers = st.dictionaries(texts(), values, max_size=3)
    match = st.fixed_dictionaries(
        {}, optional={"uri": matchers("exact", "prefix", "regex"), "headers": headers}
    )
    operations = st.fixed_dictionaries(
        {},
        optional={
            "add": st.dictionaries(texts(), texts(), max_size=3),
            "set": st.dictionaries(texts(), texts(), max_size=3),
            "remove": st.lists(texts(), max_size=2),
        },
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "match": st.lists(match, max_size=3),
            "hosts": st.lists(texts(), max_size=2),
            "timeout": st.sampled_from(["", "5s"]),
            "headers": st.fixed_dictionaries(
                {}, optional={"request": operations, "response": operations}
            ),
            "rewrite": st.fixed_dictionaries({}, optional={"uri": texts(), "authority": texts()}),
            "corsPolicy": st.fixed_dictionaries(
                {}, optional={"allowOrigin": st.lists(texts()), "maxAge": st.just("24h")}
            ),
        },
    )


@pytest.mark.parametrize("provider", PROVIDERS)
@given(data=st.data(), service=services())
def test_any_service_can_be_read_repeated_and_extended(
    provider: str, data: st.DataObject, service: dict[str, Any]
) -> None:
    router = router_of(provider)
    analysis = data.draw(st.sampled_from(list(strategies(provider).values())))
    canary = canary_for(provider, analysis, **service)
    route = data.draw(st.sampled_from(routes_of(provider, analysis)))
    first = written(router, canary, route, existing(canary))
    assert router.read(at(canary, route), first) == route
    live = {ref: noisy(stored(body)) for ref, body in first.items()}
    again = written(router, canary, route, live)
    assert all(again[ref] is live[ref] for ref in live)
