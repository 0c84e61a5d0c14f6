"""Looks through a whole tree of sealed bodies with the core itself, offline."""

from pathlib import Path

from cachy import _core

from .message import split_authority, split_url
from .sealed import VERSION, unseal
from .tree import tree


def request(url: str, headers: list[tuple[str, str]] | None = None) -> _core.Request:
    """A GET as the core takes it."""
    scheme, authority, target = split_url(url)
    host, port = split_authority(authority, scheme)
    fields = [("Host", authority), *(headers or [])]
    return _core.Request(
        method="GET",
        scheme=scheme,
        host=host,
        port=port,
        path=target.encode(),
        headers=[(name.encode(), value.encode()) for name, value in fields],
    )


def read(body: _core.Body) -> bytes:
    """All of it."""
    found = b""
    while chunk := body.read(1 << 20):
        assert isinstance(chunk, bytes)
        found += chunk
    return found


def ask(cache: _core.Cache, label: str) -> tuple[int, int | None, bytes]:
    """Status, version and body of what answers a URL, for a label as in `sealed`."""
    url, _, language = label.partition("|")
    fields = [("Accept-Language", language)] if language else []
    answer = cache.exchange(request(url, fields)).decide(patient=True)
    assert isinstance(answer, _core.Answer), label
    headers = {name.decode().lower(): value.decode() for name, value in answer.headers}
    version = headers.get(VERSION.lower())
    return answer.status, None if version is None else int(version), read(answer.take_body())


def inspect(root: Path) -> dict[str, int]:
    """The version of each entry, by label; opening the tree sweeps what a crash has left.

    Raises:
        AssertionError: A file is torn, a person's, or another one's; something is left over.
    """
    cache = _core.Cache(root, mode="offline", freshness="auto", private=False)
    left = list((root / ".cachy/tmp").iterdir())
    assert not left, f"not swept: {left}"
    found: dict[str, int] = {}
    for path, content in tree(root).items():
        if isinstance(content, bytes):
            label, version = unseal(content)
            assert url_of(path) == label.partition("|")[0], f"{label} lies at {path}"
            assert ask(cache, label) == (200, version, content), f"{path} is not cachy's"
        else:
            label = url_of(path)
            status, known, body = ask(cache, label)
            assert content.startswith(f"-> {status}") and known is not None, f"{path} {content}"
            assert unseal(body) == (label, known), f"{path}: another body"
            version = known
        found[label] = version
    return found


def url_of(path: str) -> str:
    """The URL of a path of the tree."""
    for name in ("%~v-", "/%~self"):
        path = path.partition(name)[0]
    return "https://" + path.removesuffix("index.html")
