"""HTTP/1.1 as RFC 9112 has it: framing, smuggling, persistence, and clients that are slow or silent.

Behind what a case sends comes a request for a route that is none, which asks to close: whoever reads a request where
another one reads none answers more or fewer of them, and no check waits for a time to pass.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass

from glassworks.conformance.raw import addressed, connected, ends_within, outcome
from glassworks.conformance.target import Failed, NotOffered, Target

PATH = b"/v2/health/live"
LAST = b"GET /v2/no/such/route HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
REFUSED = r"(4\d\d|50[015])?"
"""One answer that refuses, or none, and the end: what comes behind is not read."""
READ = r"(2|4)\d\d 404"
"""An answer, and the one of the last request."""
ALONE = r"[245]\d\d"
"""An answer, and the end."""
GOOD = b"5\r\nhello\r\n0\r\n\r\n"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is sent, and which statuses may come until the server closes. `section` is of RFC 9112 or 9110."""

    name: str
    section: str
    expects: str
    sends: tuple[bytes, ...]
    accepts: str
    bodiless: bool = False
    half_close: bool = False
    group: str = "C19"

    def __call__(self, target: Target) -> None:
        """Raise Failed unless it holds."""
        parts = [addressed(target, part) for part in self.sends]
        seen = outcome(target, parts, bodiless=self.bodiless, half_close=self.half_close)
        if not re.fullmatch(self.accepts, seen):
            raise Failed(f"statuses {seen or 'none'!r} until it closed; RFC {self.section}")


def get(*lines: bytes, target: bytes = PATH, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    """A request without a body."""
    return b"\r\n".join([method + b" " + target + b" " + version, b"Host: {host}", *lines]) + b"\r\n\r\n"


def post(*lines: bytes, body: bytes = b"hello") -> bytes:
    """A request with a body, whose framing the lines tell."""
    return get(*lines, method=b"POST") + body


def case(name: str, section: str, expects: str, accepts: str, *sends: bytes, last: bool = True) -> Case:
    """A case with the last request behind it."""
    *before, end = sends
    return Case(
        name=name, section=section, expects=expects, accepts=accepts, sends=(*before, end + (LAST if last else b""))
    )


CHUNKED = b"Transfer-Encoding: chunked"
SMUGGLED = b"0\r\n\r\n" + get(target=b"/v2")

CASES = (
    # Request line and version.
    case("plain", "9112 3", "a plain request is answered, and the next one too", "200 404", get()),
    case("leading_lines", "9112 2.2", "empty lines before a request are passed over", "200 404", b"\r\n\r\n" + get()),
    case("no_version", "9112 3", "a request line without a version is refused", REFUSED, b"GET /v2\r\n\r\n"),
    case("version_2_0", "9112 2.5", "HTTP/2.0 in a request line is refused", REFUSED, get(version=b"HTTP/2.0")),
    case("version_9_9", "9112 2.5", "HTTP/9.9 is refused", REFUSED, get(version=b"HTTP/9.9")),
    case("version_case", "9112 2.3", "http/1.1 in lower case is refused", REFUSED, get(version=b"http/1.1")),
    case("version_digits", "9112 2.3", "HTTP/1.10 is refused", REFUSED, get(version=b"HTTP/1.10")),
    case("garbage", "9112 3", "what is no request is refused", REFUSED, b"\x16\x03\x01\x02\x00\x01\r\n\r\n"),
    case("space_in_target", "9112 3", "a space in the target is refused", REFUSED, get(target=b"/v2 /x")),
    case("control_in_target", "9112 3", "a control character in the target is refused", REFUSED, get(target=b"/\x01")),
    case("bare_target", "9112 3.2", "a target that is no path is refused", REFUSED, get(target=b"v2/health/live")),
    case("whole_url", "9112 3.2.2", "a whole URL as the target is understood", "200 404",
         get(target=b"http://{host}" + PATH)),
    case("asterisk_get", "9112 3.2.4", "* is a target for OPTIONS only", f"{REFUSED}|4.. 404", get(target=b"*")),
    case("asterisk_options", "9112 3.2.4", "OPTIONS * is answered", f"{READ}|[45]..",
         get(target=b"*", method=b"OPTIONS")),
    case("connect", "9112 3.2.3", "CONNECT is refused by what is no proxy", f"{REFUSED}|[45].. 404",
         get(target=b"a.invalid:1", method=b"CONNECT")),
    case("unknown_method", "9110 9.1", "a method nobody knows is refused", f"{REFUSED}|[45].. 404",
         get(method=b"BREW")),
    case("lower_method", "9110 9.1", "methods are told apart by case", f"{REFUSED}|[45].. 404", get(method=b"get")),
    # Host.
    case("no_host", "9112 3.2", "HTTP/1.1 without Host is refused", f"400|{REFUSED}", b"GET /v2 HTTP/1.1\r\n\r\n"),
    case("two_hosts", "9112 3.2", "two Hosts are refused", REFUSED, get(b"Host: {host}")),
    case("two_other_hosts", "9112 3.2", "two different Hosts are refused", REFUSED, get(b"Host: other.invalid")),
    case("bad_host", "9112 3.2", "a Host that is no host is refused", REFUSED,
         b"GET /v2 HTTP/1.1\r\nHost: a b\r\n\r\n"),
    case("host_with_path", "9112 3.2", "a Host with a path is refused", REFUSED,
         b"GET /v2 HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    # Fields.
    case("space_before_colon", "9112 5.1", "space between a field's name and the colon is refused", REFUSED,
         post(b"Content-Length : 5")),
    case("folded", "9112 5.2", "a folded field is refused", REFUSED, get(b"A: b\r\n c")),
    case("folded_coding", "9112 5.2", "a folded Transfer-Encoding is refused", REFUSED,
         post(b"Transfer-Encoding:\r\n chunked", body=GOOD)),
    case("space_first", "9112 2.2", "space before the first field is refused", REFUSED,
         b"GET /v2 HTTP/1.1\r\n X: y\r\nHost: {host}\r\n\r\n"),
    case("no_colon", "9112 5", "a line without a colon is refused", REFUSED, get(b"nothing here")),
    case("no_name", "9112 5", "a field without a name is refused", REFUSED, get(b": value")),
    case("bad_name", "9110 5.1", "a name with a character that no name has is refused", REFUSED, get(b"a(b): c")),
    case("nul", "9110 5.5", "NUL in a value is refused", REFUSED, get(b"A: b\0c")),
    case("bare_cr", "9112 2.2", "a bare CR in a value is refused", REFUSED, get(b"A: b\rX: y")),
    case("bare_lf", "9112 2.2", "a bare LF as the end of a line is refused, or one as all others",
         f"{REFUSED}|200 404", b"GET " + PATH + b" HTTP/1.1\nHost: {host}\n\n"),
    case("cr_cr_lf", "9112 2.2", "CR CR LF is no end of a line", REFUSED, get(b"A: b\r")),
    case("around_values", "9112 5.1", "space around a value does not count", "200 404",
         b"GET " + PATH + b" HTTP/1.1\r\nHost: \t {host} \t \r\n\r\n"),
    # Content-Length.
    case("length", "9112 6.2", "a body of a given length is read", READ, post(b"Content-Length: 5")),
    case("length_0", "9112 6.2", "so is none", READ, post(b"Content-Length: 0", body=b"")),
    case("two_lengths", "9112 6.3", "two lengths that differ are refused", REFUSED,
         post(b"Content-Length: 5", b"Content-Length: 0")),
    case("same_lengths", "9112 6.3", "two lengths that agree are refused, or taken as one", f"{REFUSED}|{READ}",
         post(b"Content-Length: 5", b"Content-Length: 5")),
    case("list_of_lengths", "9112 6.3", "a list of lengths that differ is refused", REFUSED,
         post(b"Content-Length: 5, 0")),
    case("signed_length", "9110 8.6", "+5 is no length", REFUSED, post(b"Content-Length: +5")),
    case("negative_length", "9110 8.6", "-5 is no length", REFUSED, post(b"Content-Length: -5")),
    case("hexadecimal_length", "9110 8.6", "0x5 is no length", REFUSED, post(b"Content-Length: 0x5")),
    case("underscored_length", "9110 8.6", "1_0 is no length", REFUSED, post(b"Content-Length: 1_0", body=b"h" * 10)),
    case("foreign_digits", "9110 8.6", "digits of other scripts are none", REFUSED,
         post("Content-Length: ５".encode())),
    case("empty_length", "9110 8.6", "an empty length is refused", REFUSED, post(b"Content-Length:")),
    case("overflowing_length", "9110 8.6", "a length of 40 digits is refused", REFUSED,
         post(b"Content-Length: " + b"9" * 40)),
    case("body_of_get", "9112 6.3", "the body of a GET is passed over, or the connection closed behind it",
         f"{READ}|{ALONE}", get(b"Content-Length: 5") + b"hello"),
    # Transfer-Encoding.
    case("chunked", "9112 7.1", "a chunked body is read", READ, post(CHUNKED, body=GOOD)),
    case("chunked_case", "9112 7", "codings are told without case", READ,
         post(b"Transfer-Encoding: CHUNKED", body=GOOD)),
    case("both", "9112 6.3", "a length beside chunked is refused, or the connection closed behind it",
         f"{REFUSED}|{ALONE}", post(b"Content-Length: 5", CHUNKED, body=SMUGGLED)),
    case("both_turned", "9112 6.3", "the same the other way round", f"{REFUSED}|{ALONE}",
         post(CHUNKED, b"Content-Length: 5", body=SMUGGLED)),
    case("unknown_coding", "9112 6.1", "an unknown coding is refused", REFUSED,
         post(b"Transfer-Encoding: xchunked", body=SMUGGLED)),
    case("quoted_coding", "9112 6.1", "a quoted coding is refused", REFUSED,
         post(b'Transfer-Encoding: "chunked"', body=SMUGGLED)),
    case("identity", "9112 7", "identity is no coding any more", REFUSED,
         post(b"Transfer-Encoding: identity", b"Content-Length: 5")),
    case("not_last", "9112 6.3", "chunked that is not last is refused", REFUSED,
         post(b"Transfer-Encoding: chunked, gzip", body=SMUGGLED)),
    case("twice", "9112 6.1", "chunked twice is refused", REFUSED,
         post(CHUNKED, CHUNKED, body=SMUGGLED)),
    case("vertical_tab", "9112 5.1", "a vertical tab before chunked is refused", REFUSED,
         post(b"Transfer-Encoding: \x0bchunked", body=SMUGGLED)),
    case("semicolon", "9112 6.1", "chunked with a parameter is refused", REFUSED,
         post(b"Transfer-Encoding: chunked;q=1", body=SMUGGLED)),
    case("old_chunked", "9112 6.1", "chunked in HTTP/1.0 is refused, or the connection closed behind it",
         f"{REFUSED}|{ALONE}", post(CHUNKED, body=SMUGGLED).replace(b"HTTP/1.1", b"HTTP/1.0", 1)),
    # Chunks.
    *(
        case(f"chunk_{name}", "9112 7.1", f"{expects}", REFUSED, post(CHUNKED, body=body + b"0\r\n\r\n"))
        for name, expects, body in (
            ("size_prefixed", "a chunk size 0x5 is refused", b"0x5\r\nhello\r\n"),
            ("size_signed", "a chunk size +5 is refused", b"+5\r\nhello\r\n"),
            ("size_negative", "a chunk size -5 is refused", b"-5\r\nhello\r\n"),
            ("size_underscored", "a chunk size 0_5 is refused", b"0_5\r\nhello\r\n"),
            ("size_empty", "an empty chunk size is refused", b"\r\nhello\r\n"),
            ("size_overflowing", "a chunk size of 17 digits is refused", b"f0000000000000005\r\nhello\r\n"),
            ("too_long", "a chunk longer than it says is refused", b"4\r\nhello\r\n"),
            ("no_end", "a chunk without CRLF behind it is refused", b"5\r\nhelloXX"),
            ("lf_in_extension", "a bare LF in an extension is refused", b"5;a\nb\r\nhello\r\n"),
            ("nul_in_extension", "NUL in an extension is refused", b"5;a=\0\r\nhello\r\n"),
        )
    ),
    case("chunk_extension", "9112 7.1.1", "extensions are passed over", READ,
         post(CHUNKED, body=b'5;a=b;c="d"\r\nhello\r\n0;e\r\n\r\n')),
    case("chunk_zeros", "9112 7.1", "zeros before a size do not count", READ,
         post(CHUNKED, body=b"0005\r\nhello\r\n0\r\n\r\n")),
    case("trailers", "9112 7.1.2", "trailers are passed over", READ,
         post(CHUNKED, body=b"5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n")),
    case("length_in_trailers", "9110 6.5.1", "framing in trailers is refused or passed over", f"{REFUSED}|{READ}",
         post(CHUNKED, body=b"5\r\nhello\r\n0\r\nContent-Length: 99\r\n\r\n")),
    case("bad_trailer", "9112 7.1.2", "a trailer that is no field is refused", REFUSED,
         post(CHUNKED, body=b"5\r\nhello\r\n0\r\nno field\r\n\r\n")),
    # Limits.
    case("large_head", "9110 15.5", "a head of 1 MB is refused", REFUSED, get(b"A: " + b"b" * 1_000_000)),
    case("many_fields", "9112 5.4", "20,000 fields are refused", REFUSED, get(*[b"A: b"] * 20_000)),
    case("long_target", "9112 3", "a target of 1 MB is refused", REFUSED, get(target=b"/" + b"a" * 1_000_000)),
    case("many_trailers", "9112 7.1.2", "1 MB of trailers is refused", REFUSED,
         post(CHUNKED, body=b"0\r\n" + b"A: b\r\n" * 170_000 + b"\r\n")),
    case("long_extension", "9112 7.1.1", "an extension of 1 MB is refused", REFUSED,
         post(CHUNKED, body=b"5;" + b"a" * 1_000_000 + b"\r\nhello\r\n0\r\n\r\n")),
    # Persistence, pipelining, expectations.
    case("pipelined", "9112 9.3.2", "pipelined requests are answered in their order", "(200 404 ){20}404",
         (get() + get(target=b"/v2/no")) * 20),
    case("pipelined_bodies", "9112 9.3.2", "so are those with bodies", r"([24].. ){20}404",
         (post(b"Content-Length: 5") + post(CHUNKED, body=GOOD)) * 10),
    case("body_and_head", "9112 9.3.2", "a small head right behind a body of 60 KB is no large head", READ,
         post(b"Content-Length: 60000", body=b"h" * 60_000)),
    case("close", "9112 9.6", "behind Connection: close nothing is answered", "200", get(b"Connection: close")),
    case("close_in_a_list", "9110 7.6.1", "close counts in a list, in any case", "200",
         get(b"Connection: X, CLOSE")),
    case("old", "9112 9.3", "HTTP/1.0 is answered, and closed unless it asks to be kept", "200",
         get(version=b"HTTP/1.0")),
    case("old_hostless", "9112 3.2", "HTTP/1.0 needs no Host", ALONE, b"GET " + PATH + b" HTTP/1.0\r\n\r\n"),
    case("declined_upgrade", "9110 7.8", "an upgrade that is not offered is a plain request", READ,
         get(b"Upgrade: q", b"Connection: upgrade")),
    case("expect", "9110 10.1.1", "who expects 100-continue is told so, or the end", r"100 [24].. 404|[45]..( 404)?",
         post(b"Content-Length: 5", b"Expect: 100-continue", body=b""), b"hello"),
    case("unexpected", "9110 10.1.1", "an unknown expectation is refused or passed over", f"{REFUSED}|{READ}",
         post(b"Content-Length: 5", b"Expect: a-miracle")),
    Case(name="head", section="9110 9.3.2", expects="HEAD is answered like GET, without a body", accepts=READ,
         sends=(get(method=b"HEAD") + LAST,), bodiless=True),
    Case(name="half_close", section="9112 9.6", expects="who has sent everything and says so gets its answers",
         accepts="200 404", sends=(get() + get(target=b"/v2/no"),), half_close=True),
)  # fmt: skip


def c19_slow_and_silent(target: Target) -> None:
    """Who sends nothing, half a head or half a body is given up within --patience (RFC 9112 9.5)."""
    if target.patience is None:
        raise NotOffered("no time was given for clients that are silent: --patience SECONDS")
    halves = {"nothing": b"", "half a head": get()[:-2], "half a body": post(b"Content-Length: 50")}
    with ExitStack() as open_ones:
        wires = {name: open_ones.enter_context(connected(target)) for name in halves}
        for name, half in halves.items():
            wires[name].sendall(addressed(target, half))
        kept = [name for name, wire in wires.items() if not ends_within(wire, target.patience)]
    if kept:
        raise Failed(f"still open after {target.patience:g} s: who sent {' and '.join(kept)}")
