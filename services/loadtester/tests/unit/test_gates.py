"""Gates in memory (gatekeeper.md section A.3)."""

from flagger_loadtester.gates import Gates, Kind


def test_gates_are_closed_until_opened_and_do_not_mix() -> None:
    gates = Gates()
    assert not gates.is_open(Kind.GATE, "podinfo", "test")
    gates.open(Kind.GATE, "podinfo", "test")
    gates.open(Kind.GATE, "podinfo", "test")
    assert gates.is_open(Kind.GATE, "podinfo", "test")
    assert not gates.is_open(Kind.ROLLBACK, "podinfo", "test")
    assert not gates.is_open(Kind.GATE, "podinfo", "prod")
    gates.close(Kind.GATE, "podinfo", "test")
    gates.close(Kind.GATE, "podinfo", "test")
    assert not gates.is_open(Kind.GATE, "podinfo", "test")


def test_names_with_dots_do_not_collide() -> None:
    gates = Gates()
    gates.open(Kind.GATE, "rollback.podinfo", "test")
    gates.open(Kind.GATE, "a.b", "c")
    assert not gates.is_open(Kind.ROLLBACK, "podinfo", "test")
    assert not gates.is_open(Kind.GATE, "a", "b.c")
