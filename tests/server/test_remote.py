"""Whose word is taken for where a request comes from."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notary.server.remote import remote_address

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")]
DIRECT = "10.0.0.1:443"


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("192.0.2.7", "192.0.2.7:443"),
        ("::ffff:192.0.2.7", "192.0.2.7:443"),
        ("2001:db8::1", "[2001:db8::1]:443"),
        ("fe80::1%eth0", "[fe80::1%eth0]:443"),
    ],
)
def test_strangers_are_not_believed(host: str, shown: str) -> None:
    assert remote_address(host, 443, "1.2.3.4", PROXIES) == shown
    assert remote_address(host, 443, "1.2.3.4", []) == shown


@pytest.mark.parametrize("host", ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8:1::5"])
def test_proxies_are(host: str) -> None:
    assert remote_address(host, 443, "1.2.3.4", PROXIES) == "1.2.3.4"


@pytest.mark.parametrize(
    ("forwarded", "shown"),
    [
        ("", DIRECT),
        ("1.2.3.4", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4", "1.2.3.4"),
        ("6.6.6.6,1.2.3.4 , 10.9.9.9,\t10.0.0.2", "1.2.3.4"),
        ("10.9.9.9, 10.0.0.2", "10.9.9.9"),
        ("1.2.3.4:5678", "1.2.3.4"),
        ("[2001:db8::7]:5678", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:DB8::7", "2001:db8::7"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("1.2.3.4, ::ffff:10.0.0.2", "1.2.3.4"),
        ("unknown", DIRECT),
        ("1.2.3.4, unknown", DIRECT),
        ("1.2.3.4, unknown, 10.0.0.2", "10.0.0.2"),
        ("1.2.3.4,", DIRECT),
        ("1.2.3.4\x1b[0m", DIRECT),
        ("fe80::1%\x1b[0m", DIRECT),
        ("[[::1]", DIRECT),
        ("01.2.3.4", DIRECT),
    ],
)
def test_the_first_stranger_from_the_end_is_the_client(forwarded: str, shown: str) -> None:
    assert remote_address("10.0.0.1", 443, forwarded, PROXIES) == shown


@given(st.text() | st.lists(st.ip_addresses().map(str) | st.text()).map(",".join))
def test_any_header_gives_some_address(forwarded: str) -> None:
    shown = remote_address("10.0.0.1", 443, forwarded, PROXIES)
    assert shown.isprintable()
    assert len(shown) <= 45
