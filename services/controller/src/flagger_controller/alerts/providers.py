"""From an entry of `analysis.alerts` to an address (alerting.md sections 2 and 3).

AlertProvider and Secret are read for every alert, so a change of either counts from the next one.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from flagger_controller import net
from flagger_controller.alerts.base import Address
from flagger_controller.api.alertprovider import AlertProvider
from flagger_controller.api.canary import AlertRoute, Canary
from flagger_controller.errors import FlaggerError, NotFound


@dataclass(frozen=True)
class Destination:
    """A channel, its address, and what is said there."""

    type: str
    address: Address
    template: str = ""
    """Text of messages, a template; empty: the text of the alert."""


@dataclass(frozen=True)
class Lookups:
    """Where providers and their secrets come from; each raises NotFound."""

    provider: Callable[[str, str], Awaitable[AlertProvider]]
    """An AlertProvider by namespace and name."""
    secret: Callable[[str, str], Awaitable[Mapping[str, str]]]
    """The decoded data of a Secret by namespace and name."""


class Problem(FlaggerError):
    """Why a provider gets no alert; the text follows `alert provider <name>.<ns> `."""


class Providers:
    """Knows every provider's address."""

    def __init__(self, lookups: Lookups, *, cross_namespace: bool) -> None:
        """Make it.

        Args:
            lookups: reads the cluster.
            cross_namespace: providers may live in other namespaces than the canary; checked at
                every use, not only when the Canary changes (A19).
        """
        self._lookups = lookups
        self._cross_namespace = cross_namespace

    async def destination(self, canary: Canary, route: AlertRoute) -> Destination:
        """Where an entry of the canary's alerts leads to.

        Raises:
            Problem: provider or Secret are not there, incomplete, or out of bounds.
        """
        name, namespace = reference(canary, route)
        if namespace != canary.namespace and not self._cross_namespace:
            raise Problem(
                f"error: can't access alert provider {name}.{namespace},"
                " cross-namespace references are blocked"
            )
        try:
            provider = await self._lookups.provider(namespace, name)
        except NotFound as error:
            raise Problem(f'error: alertprovider.flagger.app "{name}" not found') from error
        except FlaggerError as error:
            raise Problem(f"error: {error}") from error
        address = await self._address(provider, namespace)
        return Destination(provider.spec.type, address, provider.spec.message_template)

    async def _address(self, provider: AlertProvider, namespace: str) -> Address:
        spec = provider.spec
        secret: Mapping[str, str] = {"address": spec.address}
        if spec.secret_ref is not None:
            secret = await self._secret(namespace, spec.secret_ref.name)
            if "address" not in secret:
                raise Problem("secret does not contain an address")
            _check_authority(secret, spec.secret_ref.name)
        found = {key: value.strip() for key, value in secret.items()}
        if not found["address"]:
            raise Problem("error: the address is empty")
        login = (found.get("username", ""), found.get("password", ""))
        return Address(
            url=found["address"],
            token=found.get("token", ""),
            login=":".join(login) if any(login) else "",
            key=found.get("hmacKey", ""),
            authority=found.get(net.AUTHORITY, ""),
            proxy=spec.proxy.strip(),
            headers=tuple((name, each) for name, values in spec.headers.items() for each in values),
            channel=spec.channel or Address.channel,
            username=spec.username or Address.username,
            card=spec.card,
        )

    async def _secret(self, namespace: str, name: str) -> Mapping[str, str]:
        try:
            return await self._lookups.secret(namespace, name)
        except NotFound as error:
            raise Problem(f'secretRef error: secrets "{name}" not found') from error
        except FlaggerError as error:
            raise Problem(f"secretRef error: {error}") from error


def _check_authority(secret: Mapping[str, str], name: str) -> None:
    """Refuse certificates that cannot be read; an empty key is no wish for the system's."""
    try:
        if net.AUTHORITY in secret:
            net.trust(secret[net.AUTHORITY].strip())
    except net.Unusable as error:
        raise Problem(
            f'secretRef error: secrets "{name}": {error};'
            f" put the certificates of the receiver's authority under the key {net.AUTHORITY},"
            " or remove the key to trust the system's"
        ) from error


def reference(canary: Canary, route: AlertRoute) -> tuple[str, str]:
    """Name and namespace of an entry's provider."""
    return route.provider_ref.name, route.provider_ref.namespace or canary.namespace
