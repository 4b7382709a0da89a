"""The AlertProvider resource (spec/canary-api.md section 10)."""

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field

from flagger_controller.api.base import Model, ObjectMeta, SecretReference

CHANNELS: Final[Mapping[str, str]] = {
    "slack": "flagger_controller.alerts.slack:post",
    "msteams": "flagger_controller.alerts.msteams:post",
    "discord": "flagger_controller.alerts.discord:post",
    "rocket": "flagger_controller.alerts.rocket:post",
    "gchat": "flagger_controller.alerts.gchat:post",
    "webhook": "flagger_controller.alerts.webhook:post",
    "alertmanager": "flagger_controller.alerts.alertmanager:post",
}
"""The registry of channels by the `type` of a provider: data, from which the definition takes its
enumeration. What is named is imported when a provider of that type is first used.
"""


class AlertProviderSpec(Model):
    """A receiver of alerts; its address is given here or in the Secret, which wins."""

    type: str
    address: str = ""
    secret_ref: SecretReference | None = None
    channel: str = ""
    username: str = ""
    proxy: str = ""
    headers: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    message_template: str = ""
    card: Literal["", "message", "adaptive"] = ""


class AlertProvider(Model):
    """An AlertProvider object."""

    metadata: ObjectMeta
    spec: AlertProviderSpec
