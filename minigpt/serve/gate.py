"""Who may ask: the key, the names of this machine, and pages of other sites."""

import hmac
from collections.abc import Collection
from urllib.parse import urlsplit

from minigpt.serve.exchange import Exchange
from minigpt.serve.refused import Refused
from minigpt.values import shown

HERE = ("localhost", "127.0.0.1", "::1")
OPEN = ("/", "/health")  # what nobody needs a key for: a page without secrets, and whether the server lives


class Gate:
    """Lets a request in, or refuses it.

    Parameters
    ----------
    key : str, optional
        What must stand behind `Authorization: Bearer`.
    hosts : collection of str, optional
        The names by which the server may be called. A foreign page whose own name was turned to this machine's address
        (DNS rebinding) calls it by that name, and is refused. None: any name, for a server that needs a key.
    origins : collection of str
        Other sites whose pages may ask, such as https://example.org.
    """

    def __init__(self, key: str | None = None, hosts: Collection[str] | None = HERE, origins: Collection[str] = ()):
        self._key = None if key is None else key.encode()
        self._hosts = None if hosts is None else {host.lower() for host in hosts}
        self._origins = set(origins)

    def check(self, exchange: Exchange) -> None:
        """`Refused` for who may not ask. Says to the browser which other site may read the answer."""
        host, origin = exchange.asked.get("host", ""), exchange.asked.get("origin")
        if self._hosts is not None and name_of(host) not in self._hosts:
            raise Refused(403, f"the server does not go by the name {shown(host)}; see --host-name", code="wrong_host")
        if origin is not None and origin in self._origins:
            exchange.headers |= {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
        elif origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            raise Refused(403, f"pages of {shown(origin)} may not ask; see --origin", code="wrong_origin")
        if exchange.method != "OPTIONS" and exchange.path not in OPEN:
            self._check_key(exchange)

    def _check_key(self, exchange: Exchange) -> None:
        if self._key is None:
            return
        scheme, _, given = exchange.asked.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode("latin-1"), self._key)  # takes as long for any wrong key
        if not right or scheme.lower() != "bearer":
            raise Refused(
                401,
                "the API key is missing or wrong; send it as `Authorization: Bearer KEY`",
                code="invalid_api_key",
                headers={"WWW-Authenticate": "Bearer"},
            )


def name_of(host: str) -> str:
    """The name in a Host header, without the port and the brackets of IPv6."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""
