"""WebSocket as RFC 6455 has it: the handshake, frames, fragments, control frames, texts, and how a connection ends.

Behind what a case sends comes a close frame, so that no check waits for a time to pass. Messages that the
server sends are passed over: any server of WebSockets can be asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from glassworks.conformance.target import Failed, Target
from glassworks.conformance.websocket import BYE, HEADERS, answered, require_websocket, shaken

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
WRONG = "close:1002"
NOT_TEXT = r"close:(1007|1003)"
"""Not UTF-8; or not looked at, by a server that takes no texts at all."""
ENDED = "close:1000"


def frame(opcode: int, content: bytes = b"", fin: bool = True, reserved: int = 0, masked: bool = True) -> bytes:
    """A client's frame, with the shortest length that holds it."""
    size, mask = len(content), b"\x11\x22\x33\x44"
    length = bytes([min(size, 125)])
    if size > 125:
        length = b"\x7e" + size.to_bytes(2, "big") if size < 65_536 else b"\x7f" + size.to_bytes(8, "big")
    head = bytes([opcode | reserved << 4 | (0x80 if fin else 0), length[0] | (0x80 if masked else 0)]) + length[1:]
    if not masked:
        return head + content
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(content))


def closing(code: int, reason: bytes = b"") -> bytes:
    """A close frame."""
    return frame(CLOSE, code.to_bytes(2, "big") + reason)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Frames that are sent, and which control frames may come until the server ends. `section` is of RFC 6455.

    Without `bye` no close frame comes behind them: a server may read both at once, and answer the last.
    """

    name: str
    section: str
    expects: str
    sends: bytes
    accepts: str = ENDED
    bytewise: bool = False
    bye: bool = True
    group: str = "C50"

    def __call__(self, target: Target) -> None:
        """Raise Failed unless it holds."""
        content = self.sends + (BYE if self.bye else b"")
        seen = answered(
            target, [content[index : index + 1] for index in range(len(content))] if self.bytewise else [content]
        )
        if not re.fullmatch(self.accepts, seen):
            raise Failed(f"{seen[:200] or 'nothing'!r} until it ended; RFC 6455, {self.section}")


@dataclass(frozen=True, kw_only=True)
class Handshake:
    """Headers that are changed (None: left out), and which statuses may answer."""

    name: str
    section: str
    expects: str
    changes: dict[str, str | None]
    accepts: str = r"4\d\d"
    first: str = "GET {path} HTTP/1.1"
    group: str = "C51"

    def __call__(self, target: Target) -> None:
        """Raise Failed unless it holds."""
        require_websocket(target)
        headers = {name: value for name, value in {**HEADERS, **self.changes}.items() if value is not None}
        status, given = shaken(target, headers, self.first)
        if not re.fullmatch(self.accepts, status):
            raise Failed(f"status {status or 'none'}; RFC 6455, {self.section}")
        if status == "101" and {"sec-websocket-extensions", "sec-websocket-protocol"} & set(given):
            raise Failed(f"it answers with what nobody offered; RFC 6455, {self.section}")
        if status == "426" and "13" not in given.get("sec-websocket-version", "13"):
            raise Failed("a 426 without the version that is spoken; RFC 6455, 4.4")


def c50_opens(target: Target) -> None:
    """A handshake is answered with 101 and the hash of its key, and a close frame with a close frame."""
    seen = answered(target, [BYE])
    if seen != ENDED:
        raise Failed(f"{seen!r} instead of {ENDED!r}")


def c51_plain_request(target: Target) -> None:
    """Without a handshake the same address is no WebSocket."""
    require_websocket(target)
    status, _ = shaken(target, {"Host": "{host}", "Connection": "close"}, "GET {path} HTTP/1.1")
    if status == "101":
        raise Failed("status 101")


def _case(
    name: str, section: str, expects: str, sends: bytes, accepts: str = ENDED, bytewise: bool = False, bye: bool = True
) -> Case:
    return Case(name=name, section=section, expects=expects, sends=sends, accepts=accepts, bytewise=bytewise, bye=bye)


def _shake(name: str, section: str, expects: str, accepts: str = r"4\d\d", **changes: str | None) -> Handshake:
    renamed: dict[str, str | None] = {key.replace("_", "-"): value for key, value in changes.items()}
    return Handshake(name=name, section=section, expects=expects, changes=renamed, accepts=accepts)


_PART, _REST = frame(BINARY, b"a", fin=False), frame(0, b"b")
_FRAMES = (
    _case("without_a_mask", "5.1", "a frame without a mask is refused", frame(BINARY, b"a", masked=False), WRONG),
    _case("ping_without_a_mask", "5.1", "so is a ping", frame(PING, masked=False), WRONG),
    *(
        _case(f"reserved_bit_{bit}", "5.2", "a reserved bit is refused", frame(opcode, b"a", reserved=bit), WRONG)
        for bit in (4, 2, 1)
        for opcode in (BINARY,)
    ),
    _case("reserved_bit_of_a_ping", "5.2", "a reserved bit of a ping is refused", frame(PING, reserved=4), WRONG),
    *(
        _case(f"opcode_{opcode}", "5.2", "a reserved opcode is refused", frame(opcode), WRONG)
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    ),
    _case(
        "length_of_64_bits",
        "5.2",
        "a length that begins with a 1 is refused",
        b"\x82\xff" + b"\xff" * 12,
        r"close:(1002|1009)",
    ),
    _case(
        "lengths",
        "5.2",
        "all three forms of a length are read",
        b"".join(frame(PONG, b"x" * n) for n in (0, 125)) + frame(BINARY, b"x" * 126) + frame(BINARY, b"x" * 66_000),
    ),
    _case(
        "byte_by_byte",
        "5.2",
        "frames may come in any parts",
        frame(PING, b"abc") + frame(PING, b"d"),
        f"pong:616263 pong:64 {ENDED}",
        bytewise=True,
    ),
    _case("rest_without_a_beginning", "5.4", "a continuation of nothing is refused", _REST, WRONG),
    _case("last_rest_without_a_beginning", "5.4", "so is one that goes on", frame(0, b"b", fin=False), WRONG),
    _case("rest_behind_a_whole_message", "5.4", "so is one behind a whole message", frame(BINARY, b"a") + _REST, WRONG),
    _case("message_in_a_message", "5.4", "a message between fragments is refused", _PART + frame(BINARY, b"b"), WRONG),
    _case("text_in_a_message", "5.4", "so is a text", _PART + frame(TEXT, b"b"), WRONG),
    _case("fragments", "5.4", "fragments are one message, empty ones too", _PART + frame(0, fin=False) * 3 + _REST),
    _case(
        "ping_between_fragments",
        "5.4",
        "a ping between fragments is answered",
        _PART + frame(PING, b"p") + _REST,
        f"pong:70 {ENDED}",
    ),
    _case("close_between_fragments", "5.4", "a close between fragments ends it", _PART, r"close:(1000|1002)"),
    _case("long_ping", "5.5", "a ping of 126 bytes is refused", frame(PING, b"x" * 126), WRONG),
    _case("long_close", "5.5", "so is a close", closing(1000, b"x" * 124), WRONG),
    _case("fragmented_ping", "5.5", "a ping in fragments is refused", frame(PING, b"a", fin=False), WRONG),
    _case("fragmented_close", "5.5", "so is a close", frame(CLOSE, b"\x03\xe8", fin=False), WRONG),
    _case("empty_ping", "5.5.2", "an empty ping is answered", frame(PING), f"pong: {ENDED}"),
    _case("full_ping", "5.5.2", "a ping's 125 bytes come back", frame(PING, b"x" * 125), f"pong:{'78' * 125} {ENDED}"),
    _case(
        "pings",
        "5.5.2",
        "pings are answered in their order, or the last",
        b"".join(frame(PING, bytes([n])) for n in range(9)),
        rf"(pong:0\d )*pong:08 {ENDED}",
    ),
    _case("pong", "5.5.3", "a pong that nobody asked for is passed over", frame(PONG, b"x") * 3),
    _case("behind_a_close", "5.5.1", "what comes behind a close is passed over", BYE + frame(PING, b"x") + frame(3)),
    _case("empty_close", "5.5.1", "a close without a code is answered", frame(CLOSE), r"close:(1000)?"),
    _case("close_of_one_byte", "5.5.1", "half a code is refused", frame(CLOSE, b"\x03"), WRONG),
    _case("close_with_a_reason", "5.5.1", "123 bytes of reason are read", closing(1000, b"x" * 123)),
    _case(
        "reason_that_is_no_text",
        "5.5.1",
        "a reason that is not UTF-8 is refused",
        closing(1000, b"\xff\xfe"),
        r"close:(1007|1002)",
    ),
    *(
        _case(
            f"close_{code}",
            "7.4",
            "a code that may be sent is answered with it",
            closing(code),
            rf"close:({code}|1000)",
        )
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
    ),
    *(
        _case(f"close_{code}", "7.4", "a code that may not be sent is refused", closing(code), WRONG)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535)
    ),
    *(
        _case(f"text_{name}", "8.1", "a text that is not UTF-8 is refused", frame(TEXT, content), NOT_TEXT, bye=False)
        for name, content in {
            "of_a_stray_byte": b"ab\x80",
            "too_long_a_form": b"\xc0\xaf",
            "of_half_a_pair": b"\xed\xa0\x80",
            "beyond_unicode": b"\xf4\x90\x80\x80",
            "cut_off": b"\xe2\x82",
        }.items()
    ),
    _case(
        "text_in_parts",
        "8.1",
        "also when its fragments are whole only together",
        frame(TEXT, b"\xe2", fin=False) + frame(0, b"\x28"),
        NOT_TEXT,
        bye=False,
    ),
    _case(
        "whole_text",
        "8.1",
        "a text in UTF-8 is read, or refused as such",
        frame(TEXT, "€".encode()),
        r"close:(1000|1003)",
    ),
)
_HANDSHAKES = (
    _shake(
        "spelling",
        "4.2.1",
        "the words of a handshake are read in any case",
        "101",
        Upgrade="WebSocket",
        Connection="keep-alive, UPGRADE",
    ),
    _shake(
        "unknown_extension",
        "9.1",
        "an unknown extension is passed over",
        "101",
        Sec_WebSocket_Extensions="x-unknown; a=1",
    ),
    _shake("without_a_key", "4.2.1", "a handshake without a key is refused", Sec_WebSocket_Key=None),
    _shake("short_key", "4.2.1", "so is one whose key has not 16 bytes", Sec_WebSocket_Key="AAAA"),
    _shake("key_in_no_base64", "4.2.1", "so is one whose key is no Base64", Sec_WebSocket_Key="*" * 24),
    _shake("without_a_version", "4.2.1", "a handshake without a version is refused", Sec_WebSocket_Version=None),
    _shake("version_8", "4.2.2", "another version is refused", Sec_WebSocket_Version="8"),
    _shake("version_14", "4.4", "so is a later one", Sec_WebSocket_Version="14"),
    _shake("without_an_upgrade", "4.2.1", "without Upgrade it is a plain request", r"[^1]\d\d", Upgrade=None),
    _shake("another_upgrade", "4.2.1", "so it is with another one", r"[^1]\d\d", Upgrade="h2c"),
    _shake(
        "without_a_connection", "4.2.1", "so it is without Connection: Upgrade", r"[^1]\d\d", Connection="keep-alive"
    ),
    Handshake(
        name="post",
        section="4.1",
        expects="only GET opens",
        changes={},
        first="POST {path} HTTP/1.1",
        accepts=r"[^1]\d\d",
    ),
    Handshake(
        name="old_http",
        section="4.1",
        expects="only HTTP/1.1 opens",
        changes={},
        first="GET {path} HTTP/1.0",
        accepts=r"([^1]\d\d)?",
    ),
)
CASES = (*_FRAMES, *_HANDSHAKES)
