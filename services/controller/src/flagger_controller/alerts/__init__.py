"""Alerts: messages for people in chats.

`CHANNELS` is the registry of providers, by the `type` of an AlertProvider. It is data.
"""

from collections.abc import Mapping
from typing import Final

CHANNELS: Final[Mapping[str, str]] = {
    "slack": "flagger_controller.alerts.slack:Slack",
    "msteams": "flagger_controller.alerts.msteams:MsTeams",
    "discord": "flagger_controller.alerts.discord:Discord",
    "rocket": "flagger_controller.alerts.rocket:Rocket",
    "gchat": "flagger_controller.alerts.gchat:GoogleChat",
}
