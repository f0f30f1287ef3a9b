"""Bearer tokens: where they are read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from uplinks.adapters.tokens import FileToken, VariableToken
from uplinks.errors import InvalidToken

GOOD = ["abc", "  abc\n", "a-b._~+/c==", "x" * 8192]
BAD = {
    "": "it is empty",
    " \n": "it is empty",
    "a b": "it is not a bearer token (RFC 6750)",
    "a\nb": "it is not a bearer token (RFC 6750)",
    "=a": "it is not a bearer token (RFC 6750)",
    "é": "it is not a bearer token (RFC 6750)",
    "x" * 8193: "it is not a bearer token (RFC 6750)",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_token_is_read_without_the_spaces_around_it(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    monkeypatch.setenv("CHILD_TOKEN", text)

    assert FileToken(str(file)).read() == VariableToken("CHILD_TOKEN").read() == text.strip()


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_token(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    monkeypatch.setenv("CHILD_TOKEN", text)

    for token in (FileToken(str(file)), VariableToken("CHILD_TOKEN")):
        with pytest.raises(InvalidToken) as caught:
            token.read()
        assert caught.value.reason == BAD[text]
        assert not text.strip() or text.strip() not in str(caught.value).replace("a bearer", "")


@pytest.mark.parametrize("path", ["no/such/file", "a\0b", "/"])
def test_a_file_that_cannot_be_read(path: str) -> None:
    with pytest.raises(InvalidToken):
        FileToken(path).read()
