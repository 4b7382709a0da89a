"""What is read from samples: recorded ones, and for ghz and k6 written after their documentation.

The recorded ones are of 2 users against a server that answers every tenth request with 500 and
every tenth with 404, and against a closed port.
"""

import pathlib
from typing import Final

import hypothesis
import pytest
from hypothesis import strategies

from flagger_loadtester import results
from flagger_loadtester.results.base import LoadResult

SAMPLES: Final = pathlib.Path(__file__).parent / "samples"
EXPECTED: Final = {
    "hey.txt": LoadResult(
        40, 8, 46.7587, 0.0425, {"50": 0.0440, "90": 0.0481, "95": 0.0518, "100": 0.0521}
    ),
    "hey-refused.txt": LoadResult(10, 10, 9739.8581),
    "wrk.txt": LoadResult(50, 10, 45.45, 0.04321, {"100": 0.04802}),
    "wrk-latency.txt": LoadResult(
        43, 9, 42.84, 0.04547, {"50": 0.04424, "90": 0.05327, "99": 0.06404, "100": 0.06404}
    ),
    "ghz.txt": LoadResult(
        200,
        3,
        109.89,
        0.03201,
        {"50": 0.03323, "90": 0.03889, "95": 0.05545, "99": 0.0696, "100": 0.0696},
    ),
    "ghz.json": LoadResult(
        200,
        3,
        109.89,
        0.03201,
        {"50": 0.03323, "90": 0.03889, "95": 0.05545, "99": 0.0696, "100": 0.0696},
    ),
    "k6-old.txt": LoadResult(
        90, 15, 8.823529, 0.14456, {"50": 0.11047, "90": 0.20354, "95": 0.21595, "100": 1.14}
    ),
    "k6.txt": LoadResult(
        45, 3, 6.56109, 62.5, {"50": 0.14096, "90": 0.14688, "95": 0.14821, "100": 100.0}
    ),
    "locust.txt": LoadResult(
        67, 13, 33.92, 0.006, {"50": 0.003, "90": 0.015, "95": 0.026, "99": 0.093, "100": 0.093}
    ),
    "locust-refused.txt": LoadResult(
        61, 61, 34.11, 0.006, {"50": 0.002, "90": 0.016, "95": 0.040, "99": 0.051, "100": 0.051}
    ),
    "locust-json.txt": LoadResult(
        77,
        16,
        77 / (1795756411.0882847 - 1795756408.840164),
        (312.7403229996162 + 225.90880400093738) / 77000,
        {"50": 0.003, "90": 0.02, "95": 0.026, "99": 0.044, "100": 0.04443978800009063},
    ),
}
FILLINGS: Final = ["", "\n", "9" * 400, "9" * 5000, "NaN", "-1", "["]


def read(name: str, text: str) -> LoadResult | None:
    return results.read(f"{name.partition('-')[0].partition('.')[0]} options", text)


def close(found: LoadResult | None, expected: LoadResult) -> bool:
    return (
        found is not None
        and (found.requests, found.failures) == (expected.requests, expected.failures)
        and found.rate == pytest.approx(expected.rate)
        and found.mean == pytest.approx(expected.mean)
        and found.percentiles == pytest.approx(expected.percentiles)
    )


@pytest.mark.parametrize("name", EXPECTED)
def test_samples(name: str) -> None:
    found = read(name, (SAMPLES / name).read_text())
    assert close(found, EXPECTED[name]), found


def test_every_sample_is_expected_or_has_no_figures() -> None:
    names = {path.name for path in SAMPLES.iterdir()}
    assert names == {*EXPECTED, "wrk-refused.txt"}
    assert read("wrk", (SAMPLES / "wrk-refused.txt").read_text()) is None


@pytest.mark.parametrize("name", ["hey", "wrk", "ghz", "k6", "locust"])
def test_of_two_runs_the_last_one_counts(name: str) -> None:
    before = {"hey": "hey-refused", "wrk": "wrk-latency", "k6": "k6-old", "ghz": "hey"}
    earlier = (SAMPLES / f"{before.get(name, 'locust-refused')}.txt").read_text()
    found = read(name, earlier + (SAMPLES / f"{name}.txt").read_text())
    assert close(found, EXPECTED[f"{name}.txt"]), found


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("hey -z 1m http://podinfo.test/", "hey"),
        ("/usr/bin/hey -z 1m http://podinfo.test/#a", "hey"),
        ("hey x; wrk y", "wrk"),
        ("hey x || echo wrk", "hey"),
        ("sleep 5&&hey x", "hey"),
        ("curl x | grep y\nhey z", "hey"),
        ("for n in 1 2; do TZ=UTC hey $n; done", "hey"),
        ("(ghz --insecure podinfo.test:9898)", "ghz"),
        ("hey -d 'a; wrk b' x", "hey"),
        ("echo hey", None),
        ("echo 'hey", None),
        ("", None),
    ],
)
def test_the_last_known_program_counts(command: str, program: str | None) -> None:
    assert results.program(command) == program


@pytest.mark.parametrize("program", results.PARSERS)
@hypothesis.given(text=strategies.text())
def test_any_text_is_read_or_not(program: str, text: str) -> None:
    assert results.read(program, text) is None


@pytest.mark.parametrize("name", EXPECTED)
@hypothesis.given(data=strategies.data())
def test_a_damaged_sample_is_read_or_not(name: str, data: strategies.DataObject) -> None:
    text = (SAMPLES / name).read_text()
    start = data.draw(strategies.integers(0, len(text)))
    end = data.draw(strategies.integers(start, len(text)))
    filling = data.draw(
        strategies.sampled_from(["", "\n", "9" * 400, "9" * 5000, "NaN", "-1", "["])
    )
    found = read(name, text[:start] + filling + text[end:])
    assert found is None or 0 <= found.failures < 2**53


def test_figures_that_nobody_can_measure_are_not_read() -> None:
    text = (SAMPLES / "hey.txt").read_text().replace("46.7587", "9" * 400)
    assert results.read("hey", text) is None
