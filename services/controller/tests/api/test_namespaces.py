"""A controller that may see some namespaces, and sees only these."""

import pytest

from .scene import Object, Scene, World

pytestmark = [pytest.mark.api, pytest.mark.timeout(600)]

RBAC = "rbac.authorization.k8s.io/v1"
USER = "narrow"


def admit(scene: Scene) -> None:
    """Give the user all rights in this namespace."""
    everything: Object = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    name = {"metadata": {"name": USER}}
    scene.create(RBAC, "Role", {**name, "rules": [everything]})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": USER}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}
    scene.create(RBAC, "RoleBinding", {**name, "roleRef": role, "subjects": [subject]})


def test_several_namespaces_and_no_other(world: World) -> None:
    mark = world.plane.audit.mark()
    with (
        world.scene("apps") as apps,
        world.scene("shop") as shop,
        world.scene("else") as other,
    ):
        for scene in (apps, shop, other):
            scene.deploy()
            scene.canary()
        for scene in (apps, shop):
            admit(scene)
        watched = {apps.namespace, shop.namespace}
        with world.controller(user=USER, namespace=",".join(sorted(watched))) as controller:
            for scene in (apps, shop):
                scene.wait_phase("Initialized")
            shop.release("2")
            shop.wait_phase("Progressing")
            assert controller.stop() == 0
        assert other.phase() == ""
        seen = world.plane.audit.requests(since=mark, user=USER)
        assert {each.namespace for each in seen if each.resource} == watched
        assert [each.uri for each in seen if each.code == 403] == []
