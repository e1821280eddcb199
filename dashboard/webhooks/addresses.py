"""Where webhooks may go. The address that was looked at is the one that is connected to: a name may change between."""

import ipaddress
import socket
import time
from collections.abc import Iterator
from typing import Any

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
PUBLIC, PRIVATE, ANY = "public", "private", "any"  # settings.SPECYARD.webhook_targets
# Where clouds keep the credentials of a machine, beside the link-local 169.254.169.254.
METADATA = {ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")}
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotAllowed(Exception):
    """Webhooks must not be sent there; the message says where."""


def connect(host: str, port: int, seconds: float, targets: str) -> socket.socket:
    """A connection to the host at the first of its allowed addresses that answers. Raises NotAllowed or OSError."""
    deadline = time.monotonic() + seconds
    refused: list[str] = []
    error: OSError | None = None
    for family, address in _addresses(host, port):
        if why := refusal(address[0], targets):
            refused.append(why)
            continue
        try:
            return _connected(family, address, deadline - time.monotonic())
        except OSError as found:
            error = found
    if error is not None:
        raise error
    raise NotAllowed(refused[0] if refused else f"{host} has no address")


def refusal(address: str, targets: str) -> str:
    """Why no webhook may go to the address, as a sentence without its end; "" when it may."""
    ip = _meant(ipaddress.ip_address(address))
    if ip.is_unspecified or ip.is_multicast or (ip.is_reserved and ip.version == 4):
        return f"{ip} is no address of a machine"
    if (ip.is_link_local or ip in METADATA) and targets != ANY:
        return f"{ip} is a link-local address, or one where clouds keep credentials"
    if not ip.is_global and targets == PUBLIC:
        return f"{ip} is not a public address"
    return ""


def _meant(ip: Ip) -> Ip:
    """The IPv4 address inside of an IPv6 address that only wraps one."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip


def _addresses(host: str, port: int) -> Iterator[tuple[int, Any]]:
    for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        yield family, address


def _connected(family: int, address: Any, seconds: float) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.settimeout(max(seconds, 0.001))
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made
