"""Addresses of children, good and bad."""

from __future__ import annotations

import pytest

from uplinks.addresses import problem_with_address, without_userinfo

GOOD_ADDRESSES = [
    "https://child1.example.com:9443",
    "http://child1.example.com",
    "https://child1.example.com/",
    "HTTPS://child1.example.com.:1",
    "http://10.0.0.1:65535",
    "http://[2001:db8::1]:9443",
    "http://[::1]",
    "http://my_service:80",
]
BAD_ADDRESSES = {
    "": "it does not start with http:// or https://",
    "child1.example.com:9443": "it does not start with http:// or https://",
    "ftp://child1.example.com": "it does not start with http:// or https://",
    "//child1.example.com": "it does not start with http:// or https://",
    "https:child1.example.com": "it does not start with http:// or https://",
    " https://child1.example.com": "it has a space or a control character",
    "https://child1.example.com\n": "it has a space or a control character",
    "https://child1.\texample.com": "it has a space or a control character",
    "https://": "it has no valid host",
    "https://:9443": "it has no valid host",
    "https://-a.example.com": "it has no valid host",
    "https://a\\b.example.com": "it has no valid host",
    "https://a%2eb": "it has no valid host",
    "https://a:b@child1.example.com": "it has a user or password",
    "https://@child1.example.com": "it has a user or password",
    "https://child1.example.com:9443/api": "it has a path, query or fragment",
    "https://child1.example.com//": "it has a path, query or fragment",
    "https://child1.example.com?": "it has a path, query or fragment",
    "https://child1.example.com/?a=b": "it has a path, query or fragment",
    "https://child1.example.com#": "it has a path, query or fragment",
    "https://child1.example.com:0": "its port is empty or 0",
    "https://child1.example.com:": "its port is empty or 0",
    "https://child1.example.com:65536": "its host or port is malformed",
    "https://child1.example.com:-1": "its host or port is malformed",
    "https://child1.example.com:x": "its host or port is malformed",
    "https://2001:db8::1": "its host or port is malformed",
    "https://[::1": "its host or port is malformed",
}


@pytest.mark.parametrize("address", GOOD_ADDRESSES)
def test_good_addresses(address: str) -> None:
    assert problem_with_address(address) is None


@pytest.mark.parametrize(("address", "problem"), BAD_ADDRESSES.items())
def test_bad_addresses(address: str, problem: str) -> None:
    assert (problem_with_address(address) or "").startswith(problem)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:SECRETX@h:9443/x", "https://***@h:9443/x"),
        ("http://me:SECR@ETX@h", "http://***@h"),
        ("me:SECRETX@h", "***@h"),
        ("https:/me:SECRETX@h", "https:/***@h"),
        ("https:me:SECRETX@h", "https:***@h"),
        ("//me:SECRETX@h", "//***@h"),
        ("ftp://me:SECRETX@h", "ftp://***@h"),
        ("https://me:SEC/RETX@h", "https://***@h"),
        ("https://me:SEC?RETX@h", "https://***@h"),
        ("https://me:SEC#RETX@h", "https://***@h"),
        ("https://me:SECRETX%40h", "https://***@h"),
        ("https://h/?token=SECRETX", "https://h/?***"),
        ("https://h?SECRETX\nSECRETX", "https://h?***"),
        ("https://h#SECRETX", "https://h#***"),
        ("https://me:SECRETX@h?SECRETX", "https://***@h?***"),
    ],
)
def test_whatever_may_be_secret_is_masked(address: str, shown: str) -> None:
    assert without_userinfo(address) == shown


@pytest.mark.parametrize("address", [*GOOD_ADDRESSES, "", "h", "https://h?", "https://h/a"])
def test_what_is_not_secret_is_shown(address: str) -> None:
    assert without_userinfo(address) == address
