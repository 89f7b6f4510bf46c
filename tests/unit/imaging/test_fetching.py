"""What lies at an address: fetched within a time and a size, and every failure is reported in two lines."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from tests.patience import PATIENCE_S

from glassworks.errors import InputError
from glassworks.imaging.fetching import fetched

Host = Callable[[Sequence[bytes]], str]
_HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def host() -> Iterator[Host]:
    """Gives a name and a port of a host that answers with these bytes, and then says nothing."""
    listening, done = socket.create_server(("127.0.0.1", 0)), threading.Event()
    listening.settimeout(PATIENCE_S)

    def answering(parts: Sequence[bytes]) -> str:
        def answer() -> None:
            with listening.accept()[0] as connection, contextlib.suppress(ConnectionError):
                connection.recv(4096)
                for part in parts:
                    connection.sendall(part)
                if not parts or parts[-1] == b"":
                    done.wait(PATIENCE_S)

        thread = threading.Thread(target=answer)
        thread.start()
        threads.append(thread)
        return f"127.0.0.1:{listening.getsockname()[1]}"

    threads: list[threading.Thread] = []
    yield answering
    done.set()
    for thread in threads:
        thread.join()
    listening.close()


def reported(address: str, hosts: Sequence[str], total_s: float = 30.0) -> str:
    with pytest.raises(InputError) as caught, fetched(address, hosts, largest=4000, total_s=total_s):
        pass
    assert len(str(caught.value).splitlines()) == 2
    return caught.value.problem


@pytest.mark.parametrize(
    "address",
    [
        *("http://[", "http://[::1", "http://h:x/", "http://h:99999/", "http://h:-1/", "http://\u2100.com/"),
        *("http://a..b/", f"http://{'a' * 300}/", "http://\ud800/"),
    ],
)
def test_what_is_no_address_is_reported(address: str) -> None:
    assert "is no address" in reported(address, [])


@pytest.mark.parametrize("address", ["http://a b/", "http://h:1\\@x/", "http://"])
def test_a_host_that_cannot_be_asked_is_reported(address: str) -> None:
    assert "cannot be fetched" in reported(address, [address.split("/")[2]])


@pytest.mark.parametrize(
    "parts",
    [
        [b"SSH-2.0-x\r\n"],
        [b"HTTP/1.1 abc\r\n\r\n"],
        [_HEAD + b"content-length: 50\r\n\r\nhello"],
        [_HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\nhello"],
        [_HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhel"],
        [_HEAD + b"a: " + b"x" * 70_000 + b"\r\n\r\n"],
        [_HEAD + b"a: b\r\n" * 300 + b"\r\n"],
    ],
    ids=["ssh", "status", "short", "chunk", "cut chunk", "long line", "many lines"],
)
def test_an_answer_that_is_none_is_reported(host: Host, parts: Sequence[bytes]) -> None:
    name = host(parts)
    assert "cannot be fetched" in reported(f"http://{name}/a.png", [name])


def test_a_large_answer_is_given_up(host: Host) -> None:
    name = host([_HEAD + b"\r\n" + b"x" * 5000])
    assert "is larger than 4,000 bytes" in reported(f"http://{name}/a.png", [name])


@pytest.mark.parametrize("parts", [[], [_HEAD, b""], [_HEAD + b"\r\nhel", b""]], ids=["nothing", "head", "body"])
def test_a_host_that_never_ends_is_given_up(host: Host, parts: Sequence[bytes]) -> None:
    """Wherever it stops: also a head or a body without a length, which looks whole when the connection ends."""
    name = host(parts)
    assert "was not whole after 0.2 s" in reported(f"http://{name}/a.png", [name], total_s=0.2)


def test_what_is_whole_is_fetched(host: Host) -> None:
    name = host([_HEAD + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"])
    with fetched(f"http://{name}/a.png", [name]) as path:
        assert path.read_bytes() == b"hello"
