"""Which gates ask for more than being open, and when they let somebody pass."""

import datetime

import pytest

from flagger_gatekeeper import gates, rules

OFFICE = """[{
  "namespaces": ["prod"], "gates": ["promotion"], "approvals": {"required": 2, "within": "1h"},
  "windows": [{"cron": "0 9 * * 1-5", "duration": "8h", "timeZone": "Europe/Berlin"}]
}]"""
KEY = gates.GateKey("prod", "podinfo", "promotion")


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(f"{text}+00:00")


@pytest.mark.parametrize(
    ("now", "passes_at"),
    [
        ("2026-11-27T07:59:59", "2026-11-27T08:00:00"),  # a Friday in winter
        ("2026-11-27T08:00:00", None),
        ("2026-11-27T15:59:59", None),
        ("2026-11-27T16:00:00", "2026-11-30T08:00:00"),
        ("2026-11-28T10:00:00", "2026-11-30T08:00:00"),
        ("2026-07-03T07:00:00", None),  # in summer, an hour earlier
        ("2026-07-03T06:59:59", "2026-07-03T07:00:00"),
    ],
)
def test_windows_are_read_in_their_zone(now: str, passes_at: str | None) -> None:
    rule = rules.Rulebook.parse(OFFICE).of(KEY)
    assert rule.is_time(at(now)) is (passes_at is None)
    assert rule.next_time(at(now)) == (None if passes_at is None else at(passes_at))


def test_several_windows_are_added() -> None:
    windows = '[{"cron": "0 8 * * *", "duration": "1h"}, {"cron": "0 9 * * *", "duration": "90m"}]'
    rule = rules.Rulebook.parse(f'[{{"windows": {windows}}}]').of(KEY)
    times = ("07:59", "08:00", "08:59", "09:00", "10:29", "10:30")
    passing = [rule.is_time(at(f"2026-11-27T{time}:00")) for time in times]
    assert passing == [False, True, True, True, True, False]
    assert rule.next_time(at("2026-11-27T10:30:00")) == at("2026-11-28T08:00:00")


@pytest.mark.parametrize(
    ("key", "approvals"),
    [
        (gates.GateKey("prod", "podinfo", "promotion"), 3),
        (gates.GateKey("prod", "podinfo", "start"), 2),
        (gates.GateKey("prod", "podinfo"), 2),
        (gates.GateKey("prod", "podinfo", "rollback"), 1),
        (gates.GateKey("prod", "cart", "rollback"), 4),
        (gates.GateKey("test", "podinfo", "promotion"), 1),
    ],
)
def test_the_first_rule_counts(key: gates.GateKey, approvals: int) -> None:
    """An emergency exit waits for nobody, unless it is named."""
    book = rules.Rulebook.parse(
        """[
          {"namespaces": ["prod"], "gates": ["promotion"], "approvals": 3},
          {"canaries": ["cart"], "gates": ["rollback"], "approvals": 4},
          {"namespaces": ["prod"], "approvals": 2}
        ]"""
    )
    assert book.of(key).approvals == approvals


def test_the_usual_gate_asks_for_nothing() -> None:
    assert rules.Rulebook.parse("") == rules.Rulebook.parse("[]") == rules.Rulebook()
    rule = rules.Rulebook().of(KEY)
    assert (rule.approvals, rule.is_time(at("2026-11-27T03:00:00"))) == (1, True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "rules: no JSON"),
        ("{}", "rules: this is a list"),
        ("[1]", r"rules\[0\]: this is an object"),
        ('[{}, {"who": 1}]', r"rules\[1\]: unknown field 'who'"),
        ('[{"gates": "promotion"}]', r"rules\[0\]\.gates: this is a list of names"),
        ('[{"approvals": 0}]', r"rules\[0\]\.approvals: required is from 1 to 20"),
        ('[{"approvals": 21}]', "from 1 to 20"),
        ('[{"approvals": true}]', "this is an object"),
        ('[{"approvals": {"required": 2, "within": "0s"}}]', r"within: a positive duration"),
        ('[{"windows": 1}]', r"rules\[0\]\.windows: this is a list"),
        ('[{"windows": [{"cron": "61 * * * *", "duration": "1h"}]}]', "never begins: Bad minute"),
        ('[{"windows": [{"cron": "0 0 30 2 *", "duration": "1h"}]}]', "never begins"),
        ('[{"windows": [{"duration": "1h"}]}]', "cron: None never begins"),
        ('[{"windows": [{"cron": "0 9 * * *"}]}]', r"windows\[0\]\.duration"),
        ('[{"windows": [{"cron": "0 9 * * *", "duration": "745h"}]}]', "at most 31 days"),
        (
            '[{"windows": [{"cron": "0 9 * * *", "duration": "1h", "timeZone": "Mars"}]}]',
            r"rules\[0\]\.windows\[0\]\.timeZone: no zone is called 'Mars'",
        ),
    ],
)
def test_mistakes_are_named(text: str, problem: str) -> None:
    with pytest.raises(rules.RulesError, match=problem):
        rules.Rulebook.parse(text)
