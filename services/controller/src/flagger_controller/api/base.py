"""What the models of our three kinds share."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP: Final = "flagger.app"
VERSION: Final = "v1beta1"
API_VERSION: Final = f"{GROUP}/{VERSION}"

Object = dict[str, Any]
"""A Kubernetes object of somebody else: a dict, so that fields we do not know survive."""


class Model(BaseModel):
    """A frozen value with the camelCase names of the API; unknown fields are dropped."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
    )

    def to_api(self) -> Object:
        """The object as the API server wants it, without fields that were never set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class OwnerReference(Model):
    """Who owns an object; only what we read."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class ObjectMeta(Model):
    """The part of an object's metadata that we use."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None


class NamedReference(Model):
    """A reference by name, in the referring object's namespace unless it names another."""

    name: str
    namespace: str = ""


class SecretReference(Model):
    """A Secret in the namespace of the object that refers to it."""

    name: str
