"""Which proxy leads to the API server, by the rules of Go programs."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit


def proxy_for(url: str, environ: Mapping[str, str]) -> str | None:
    """The proxy for a server's URL by `HTTP(S)_PROXY` and `NO_PROXY`, or None.

    As in Go's `httpproxy`, and unlike in Python's `urllib`, an entry of `NO_PROXY` may be a CIDR
    block: in a cluster, the API server's URL often has only an address. Lower-case names of the
    variables count, too. Loopback addresses never use a proxy.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    proxy = _variable(environ, f"{parts.scheme}_proxy")
    if not proxy or not host or _is_loopback(host):
        return None
    entries = _variable(environ, "no_proxy").split(",")
    if any(_matches(entry.strip().lower(), host, port) for entry in entries):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name.upper()) or environ.get(name.lower()) or ""


def _matches(entry: str, host: str, port: int | None) -> bool:
    if entry in ("", "*"):
        return entry == "*"
    name, only_port = _split_port(entry)
    if only_port is not None and only_port != port:
        return False
    address = _address(host)
    if address is not None:
        network = _network(name)
        return network is not None and address in network
    domain = name.removeprefix("*").rstrip(".")
    return host.endswith(domain) if domain.startswith(".") else f".{host}".endswith(f".{domain}")


def _split_port(entry: str) -> tuple[str, int | None]:
    name, colon, port = entry.rpartition(":")
    # An IPv6 address without brackets has colons, and no port.
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        return name.strip("[]"), int(port)
    return entry.strip("[]"), None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return None
