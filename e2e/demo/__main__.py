"""`python -m e2e.demo`: exit code 0 when everything went as announced, 1 with the reason if not."""

import sys

from tools.cluster import settings

from e2e.demo import story
from e2e.demo.screen import Screen
from e2e.suite import access, history, ingress, install, kube, names, podinfo, wait


def main() -> int:
    reason = access.obstacle()
    if reason:
        sys.stderr.write(f"{reason}\n")
        return 1
    try:
        reach = install.up()
        api = kube.Kube(reach.kubeconfig)
        app = podinfo.App(api, story.NAMESPACE, ingress.find(api))
        story.clear(app)
        with history.History(api, story.NAMESPACE) as past, Screen(app, past) as screen:
            story.tell(story.Stage(app, past, reach, screen))
    except (wait.Deviation, settings.ClusterError) as error:
        sys.stderr.write(f"\nThe demo deviated: {error}\n")
        return 1
    sys.stdout.write(story.AFTERWARDS.format(namespace=story.NAMESPACE, system=names.SYSTEM))
    return 0


if __name__ == "__main__":
    sys.exit(main())
