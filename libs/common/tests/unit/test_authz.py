"""The namespace rule (loadtester.md section 2.2)."""

import pytest

from flagger_common.authz import NamespaceRule, RuleError


@pytest.mark.parametrize(
    ("expression", "anchored", "namespace", "allowed"),
    [
        ("", False, "anything", True),
        ("", True, "", True),
        ("test", False, "test", True),
        ("test", False, "prod-latest", True),
        ("test", True, "prod-latest", False),
        ("test", True, "test", True),
        ("^(test|dev)$", False, "dev", True),
        ("^(test|dev)$", False, "developer", False),
        ("^test$", False, "test\n", False),
        (r"^test\z", False, "test", True),
        (".*", False, "a" * 254, False),
        (".*", False, "", True),
        ("(?i)TEST", False, "test", True),
    ],
)
def test_the_rule(expression: str, anchored: bool, namespace: str, allowed: bool) -> None:
    assert NamespaceRule.parse(expression, anchored=anchored).allows(namespace) is allowed


@pytest.mark.parametrize(
    "expression", ["(", "a**", "(?=a)b", "(?<!a)b", r"(a)\1", "(?P<x>a)(?P=x)", "(?>a)", "[b-a]"]
)
def test_expressions_that_re2_refuses_are_refused(expression: str) -> None:
    with pytest.raises(RuleError, match="namespace expression"):
        NamespaceRule.parse(expression)


@pytest.mark.parametrize("expression", [r"\(?=a", r"a\\", r"(?P<x>a)", r"(?:a|b)", r"\d+"])
def test_expressions_that_only_look_alike_are_accepted(expression: str) -> None:
    assert NamespaceRule.parse(expression).pattern is not None
