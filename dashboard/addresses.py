"""Where a request comes from."""

import ipaddress
from contextlib import suppress
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

LOOPBACK = ("localhost", "127.0.0.1", "::1")
FORWARDING = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Forwarded", "Via")
NETWORK_BITS = 64  # of IPv6: so much one customer has as one address of IPv4


def address_of(request: HttpRequest) -> str:
    """The address of whoever asks; "" when it is not known, as on a Unix socket.

    Behind N trusted proxies it is the Nth address from the right of X-Forwarded-For: what stands further left was
    written by whoever asked.
    """
    direct = str(request.META.get("REMOTE_ADDR") or "")
    proxies: int = settings.SPECYARD.trusted_proxies
    if proxies == 0:
        return direct
    told = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    return _without_port(told[-proxies]) if len(told) >= proxies else direct


def _without_port(address: str) -> str:
    """Some proxies add the port, which is another one for each connection."""
    with suppress(ValueError):
        ipaddress.ip_address(address)
        return address
    with suppress(ValueError):
        return urlsplit(f"//{address}").hostname or address
    return address


def is_this_machine(request: HttpRequest) -> bool:
    """Whether a program on this machine asks, by a name of this machine, and no proxy stands between."""
    if any(name in request.headers for name in FORWARDING):
        return False
    name = urlsplit(f"//{request.get_host()}").hostname
    return name in LOOPBACK and _is_loopback(str(request.META.get("REMOTE_ADDR") or ""))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def network_of(address: str) -> str:
    """What counts as one address: itself, and for IPv6 its network."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:100]
    if found.version == 6 and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, NETWORK_BITS), strict=False))
    return str(found.ipv4_mapped if found.version == 6 else found)
