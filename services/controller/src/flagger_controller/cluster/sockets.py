"""Sockets that notice when the other side has vanished, and do not cost much memory."""

import socket
from asyncio import sslproto
from typing import Any, Final

BUFFER: Final = 32 * 1024
"""Bytes that a TLS connection reads at once, and keeps a buffer for; asyncio's own 256 KiB are much
where a hundred watches have a connection each, and a TLS record has 16 KiB at most."""


def save_memory() -> None:
    """Give the TLS connections of this process small buffers, those of kopf as well."""
    sslproto.SSLProtocol.max_size = BUFFER


def watched(address: Any) -> socket.socket:
    """A socket that notices within a minute; a factory for aiohttp's connections."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
