"""The AlertProvider resource (spec/canary-api.md section 10)."""

from flagger_controller.api.base import Model, ObjectMeta, SecretReference


class AlertProviderSpec(Model):
    """A chat channel; its address is given here or in the Secret."""

    type: str
    address: str = ""
    secret_ref: SecretReference | None = None
    channel: str = ""
    username: str = ""
    proxy: str = ""


class AlertProvider(Model):
    """An AlertProvider object."""

    metadata: ObjectMeta
    spec: AlertProviderSpec
