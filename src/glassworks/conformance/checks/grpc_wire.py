"""gRPC on the wire: prefixes, compression, deadlines, cancellation and trailers, as its protocol has them."""

from __future__ import annotations

import gzip
import zlib

from glassworks.conformance.http2 import (
    CANCEL,
    END_HEADERS,
    END_STREAM,
    LIVE,
    RESET,
    STREAM,
    Link,
    asked,
    call,
    data,
    frame,
    goes_on,
    headers,
    message,
    refused,
    sends,
    status,
)
from glassworks.conformance.target import Failed, Target

_OK, _INVALID, _DEADLINE, _EXHAUSTED, _UNIMPLEMENTED, _INTERNAL = "0", 3, 4, 8, 12, 13
_LIVE = headers(asked())
_WRONG = (_INVALID, _UNIMPLEMENTED, _INTERNAL)

c43_unknown_method = sends(
    call(1, b"/inference.GRPCInferenceService/None"), status(_UNIMPLEMENTED), "an unknown method is UNIMPLEMENTED"
)
c43_unknown_service = sends(call(1, b"/no.Service/None"), status(_UNIMPLEMENTED), "so is an unknown service")
c43_another_path = sends(call(1, b"/"), status(_UNIMPLEMENTED), "so is a path that names none")
c43_another_content_type = sends(
    headers(asked(type=b"text/plain")) + data(), refused(415), "another content type is refused with 415"
)
c43_no_content_type = sends(headers(asked(type=None)) + data(), refused(415), "so is none")
c43_type_that_begins_alike = sends(
    headers(asked(type=b"application/grpcx")) + data(), refused(415), "so is one that only begins like gRPC's"
)
c43_type_with_a_format = sends(
    headers(asked(type=b"application/grpc+proto")) + data(), goes_on(1), "the content type may name the format"
)
c43_get = sends(headers(asked(method=b"GET")) + data(), refused(405), "another verb than POST is refused")
c43_message_in_parts = sends(
    _LIVE + b"".join(data(each, flags=0) for each in (b"\0", b"\0\0", b"\0\0")) + data(b""),
    goes_on(1),
    "a message may come in pieces",
)
c43_empty_frames_between = sends(
    _LIVE + data(b"", flags=0) + data(flags=0) + data(b"", flags=0) + data(b""), goes_on(1), "frames may be empty"
)
c43_no_message = sends(
    headers(asked(), flags=END_HEADERS | END_STREAM), status(*_WRONG), "a unary call without a message is an error"
)
c43_two_messages = sends(_LIVE + data(message() + message()), status(*_WRONG), "so is one with two")
c43_two_messages_without_end = sends(
    _LIVE + data(message(), flags=0) + data(message(), flags=0), status(*_WRONG), "which is told at once"
)
c43_cut_message = sends(_LIVE + data(message(b"abc")[:-1]), status(*_WRONG), "a message that is cut off is an error")
c43_cut_prefix = sends(_LIVE + data(b"\0\0\0"), status(*_WRONG), "so is a prefix")
c43_garbage = sends(_LIVE + data(message(b"\xff\xff\xff")), status(*_WRONG), "bytes that are no message are an error")
c43_unknown_flag = sends(_LIVE + data(message(b"", 2)), status(*_WRONG), "a message is compressed or not: 1 or 0")
c43_compressed_without_encoding = sends(
    _LIVE + data(message(gzip.compress(b""), 1)), status(*_WRONG), "compressed messages need grpc-encoding"
)
c43_compressed_as_identity = sends(
    headers(asked(LIVE, (b"grpc-encoding", b"identity"))) + data(message(b"", 1)),
    status(*_WRONG),
    "'identity' compresses nothing",
)
c43_unknown_encoding = sends(
    headers(asked(LIVE, (b"grpc-encoding", b"rot13"))) + data(message(b"", 1)),
    status(_UNIMPLEMENTED),
    "an unknown encoding is UNIMPLEMENTED",
)
c43_gzip = sends(
    headers(asked(LIVE, (b"grpc-encoding", b"gzip"))) + data(message(gzip.compress(b"", mtime=0), 1)),
    status(0, _UNIMPLEMENTED),
    "gzip is read, or UNIMPLEMENTED",
)
c43_deflate = sends(
    headers(asked(LIVE, (b"grpc-encoding", b"deflate"))) + data(message(zlib.compress(b""), 1)),
    status(0, _UNIMPLEMENTED),
    "deflate is read, or UNIMPLEMENTED",
)
c43_encoding_without_compression = sends(
    call(1, LIVE, (b"grpc-encoding", b"gzip")), goes_on(1), "where grpc-encoding stands, messages may be plain"
)
c43_broken_gzip = sends(
    headers(asked(LIVE, (b"grpc-encoding", b"gzip"))) + data(message(b"no gzip", 1)),
    status(*_WRONG),
    "what cannot be decompressed is an error",
)
c43_deflated_bomb = sends(
    headers(asked(LIVE, (b"grpc-encoding", b"deflate")))
    + data(message(zlib.compress(bytes(2**26 + 2**20), 9)[:60_000], 1)),
    status(*_WRONG, _EXHAUSTED),
    "what grows beyond every limit is an error",
)
c43_announced_giant = sends(
    _LIVE + data(b"\0\xff\xff\xff\xff", flags=0), status(_EXHAUSTED), "a message of 4 GiB is RESOURCE_EXHAUSTED at once"
)
c43_deadline = sends(
    headers(asked(STREAM, (b"grpc-timeout", b"50m"))),
    status(_DEADLINE),
    "a call that outlives grpc-timeout is DEADLINE_EXCEEDED",
)
c43_long_deadline = sends(call(1, LIVE, (b"grpc-timeout", b"99999999H")), goes_on(1), "the longest deadline is none")
_BAD_TIMES = (b"soon", b"\xb2S", b"1", b"S", b"-1S", b"1.5S", b"123456789S", b"1s", b"")
c43_bad_deadlines = sends(
    b"".join(call(2 * index + 1, LIVE, (b"grpc-timeout", each)) for index, each in enumerate(_BAD_TIMES)) + call(41),
    goes_on(41),
    "a grpc-timeout that is none ends no other call",
)
c43_cancelled = sends(
    headers(asked(STREAM)) + frame(RESET, 0, 1, CANCEL.to_bytes(4, "big")) + call(3),
    goes_on(3),
    "a cancelled call ends no other",
)
c43_metadata = sends(
    call(1, LIVE, (b"x-text", b"a"), (b"x-text", b"b"), (b"x-data-bin", b"AAEC"), (b"user-agent", b"test")),
    goes_on(1),
    "metadata of any names are taken, doubled and binary ones too",
)


def c43_a_whole_answer(target: Target) -> None:
    """An answer is :status 200, a message with its prefix, and trailers with grpc-status 0 that end the stream."""
    with Link(target) as link:
        link.greet().send(call())
        goes_on(1)(link)
        seen = link.seen
    found = seen.metadata(1)
    if found.get(":status") != "200" or not found.get("content-type", "").startswith("application/grpc"):
        raise Failed(f"headers {found}")
    content = b"".join(seen.of(0, 1))
    if len(content) < 5 or int.from_bytes(content[1:5], "big") != len(content) - 5:
        raise Failed(f"the message is {content[:20].hex()}")


def c43_errors_have_words(target: Target) -> None:
    """grpc-message is printable ASCII, with all else percent-encoded."""
    with Link(target) as link:
        link.greet().send(call(1, b"/no.Service/None"))
        status(_UNIMPLEMENTED)(link)
        text = link.seen.metadata(1).get("grpc-message", "")
    if not text.isascii() or not text.isprintable():
        raise Failed(f"grpc-message {text!r}")


def c43_a_stream_ends_when_its_client_has(target: Target) -> None:
    """A stream without messages ends well."""
    with Link(target) as link:
        link.greet().send(headers(asked(STREAM), flags=END_HEADERS | END_STREAM))
        goes_on(1)(link)
