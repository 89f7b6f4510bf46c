"""HTTP/2, frame by frame: RFC 9113, sections 3 to 6. A numbered section stands in each sentence."""

from __future__ import annotations

from glassworks.conformance.http2 import (
    ACK,
    CALM,
    CLOSED,
    COMPRESSION,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITIZED,
    PRIORITY,
    PROTOCOL,
    PUSH,
    REFUSED,
    RESET,
    SETTINGS,
    SIZE,
    STREAM,
    WINDOW,
    Link,
    asked,
    block,
    call,
    data,
    ends,
    frame,
    goes_on,
    headers,
    resets,
    sends,
)
from glassworks.conformance.target import Failed, Target

_LIVE = headers(asked())
_ENDED = headers(asked(), flags=END_HEADERS | END_STREAM)
_OPEN = headers(asked(STREAM))
_HALF = headers(asked(STREAM), flags=END_HEADERS | END_STREAM)
_CANCEL = frame(RESET, 0, 1, b"\0\0\0\x08")
_BLOCK = block(asked())

c40_wrong_preface = sends(
    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", ends(PROTOCOL), "another preface ends the connection (3.4)", greeted=False
)
c40_settings_come_first = sends(
    PREFACE + frame(PING, 0, 0, bytes(8)), ends(PROTOCOL), "SETTINGS are the first frame (3.4)", greeted=False
)
c40_acknowledgement_comes_first = sends(
    PREFACE + frame(SETTINGS, ACK, 0),
    ends(PROTOCOL, SIZE),
    "an acknowledgement is not the first frame (3.4)",
    greeted=False,
)
c40_unknown_frame = sends(frame(99, 0, 0, b"abc") + call(), goes_on(1), "frames of unknown types are ignored (4.1)")
c40_unknown_flags = sends(
    frame(HEADERS, END_HEADERS | 0xC2, 1, _BLOCK) + data(flags=END_STREAM | 0xF4),
    goes_on(1),
    "unknown flags are ignored (4.1)",
)
c40_reserved_bit = sends(frame(PING, 0, 2**31, bytes(8)) + call(), goes_on(1), "the reserved bit is ignored (4.1)")
c40_unknown_frame_within_headers = sends(
    frame(HEADERS, 0, 1, _BLOCK[:9]) + frame(99, 0, 1),
    ends(PROTOCOL),
    "not even unknown frames interrupt headers (4.3, 5.5)",
)
c40_interrupted_headers = sends(
    frame(HEADERS, 0, 1, _BLOCK[:9]) + frame(PING, 0, 0, bytes(8)), ends(PROTOCOL), "no frame interrupts headers (4.3)"
)
c40_headers_within_headers = sends(
    frame(HEADERS, 0, 1, _BLOCK[:9]) + headers(asked(), 3), ends(PROTOCOL), "no other headers interrupt headers (4.3)"
)
c40_broken_headers = sends(
    frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff"),
    ends(COMPRESSION),
    "headers that cannot be decoded end the connection (4.3)",
)
c40_data_on_idle = sends(frame(DATA, 0, 1, b"x"), ends(PROTOCOL), "data of an idle stream end the connection (5.1)")
c40_reset_on_idle = sends(_CANCEL, ends(PROTOCOL), "a reset of an idle stream ends the connection (5.1, 6.4)")
c40_window_on_idle = sends(
    frame(WINDOW, 0, 1, b"\0\0\0\1"), ends(PROTOCOL), "a window of an idle stream ends the connection (5.1)"
)
c40_continuation_on_idle = sends(
    frame(CONTINUATION, END_HEADERS, 1, _BLOCK), ends(PROTOCOL), "a continuation of nothing ends the connection (6.10)"
)
c40_priority_on_idle = sends(
    frame(PRIORITY, 0, 1, bytes(4) + b"\x10") + call(3), goes_on(3), "a priority of an idle stream is ignored (5.1)"
)
c40_data_on_half_closed = sends(_HALF + data(), resets(CLOSED), "data behind the end of a stream are an error (5.1)")
c40_headers_on_half_closed = sends(
    _HALF + headers([(b"x", b"y")], flags=END_HEADERS | END_STREAM),
    resets(CLOSED, PROTOCOL),
    "headers behind the end of a stream are an error (5.1)",
)
c40_continuation_behind_the_end = sends(
    _LIVE + frame(CONTINUATION, END_HEADERS, 1, b"\x82"),
    ends(PROTOCOL),
    "a continuation behind the end of headers ends the connection (6.10)",
)
c40_data_after_reset = sends(
    _OPEN + _CANCEL + frame(DATA, 0, 1, b"x"),
    resets(CLOSED),
    "data of a stream that the client has reset are an error (5.1)",
)
c40_headers_after_reset = sends(
    _OPEN + _CANCEL + _ENDED,
    resets(CLOSED, PROTOCOL),
    "headers of a stream that the client has reset are an error (5.1)",
)
c40_window_after_reset = sends(
    _OPEN + _CANCEL + frame(WINDOW, 0, 1, b"\0\0\0\1") + _CANCEL + call(3),
    goes_on(3),
    "windows and resets of closed streams are ignored (5.1)",
)
c40_even_stream = sends(headers(asked(), 2), ends(PROTOCOL), "clients use odd numbers (5.1.1)")
c40_lower_stream = sends(call(5) + headers(asked(), 3), ends(PROTOCOL, CLOSED), "numbers of streams grow (5.1.1)")
c40_skipped_streams = sends(call(11), goes_on(11), "numbers of streams may be left out (5.1.1)")
c40_many_streams = sends(
    b"".join(call(number) for number in range(1, 61, 2)), goes_on(59), "thirty calls at once are answered (5.1.2)"
)
c40_data_of_stream_0 = sends(frame(DATA, 0, 0, b"x"), ends(PROTOCOL), "DATA need a stream (6.1)")
c40_data_padding = sends(
    _LIVE + frame(DATA, END_STREAM | PADDED, 1, b"\3" + bytes(5) + b"\0\0\0"), goes_on(1), "data may be padded (6.1)"
)
c40_data_padding_too_long = sends(
    _LIVE + frame(DATA, END_STREAM | PADDED, 1, b"\6" + bytes(5)),
    ends(PROTOCOL),
    "padding is no longer than its frame (6.1)",
)
c40_data_padding_missing = sends(
    _LIVE + frame(DATA, END_STREAM | PADDED, 1), ends(PROTOCOL, SIZE), "padded data say by how much (6.1)"
)
c40_headers_of_stream_0 = sends(headers(asked(), 0), ends(PROTOCOL), "HEADERS need a stream (6.2)")
c40_headers_padding = sends(
    frame(HEADERS, END_HEADERS | PADDED | PRIORITIZED, 1, b"\2" + bytes(5) + _BLOCK + b"\0\0") + data(),
    goes_on(1),
    "headers may be padded and have a priority (6.2)",
)
c40_headers_padding_too_long = sends(
    frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + _BLOCK[:99]),
    ends(PROTOCOL),
    "padding is no longer than its headers (6.2)",
)
c40_headers_priority_cut = sends(
    frame(HEADERS, END_HEADERS | PRIORITIZED, 1, b"\0\0\0"),
    ends(SIZE, PROTOCOL),
    "a priority in headers is five bytes (6.2)",
)
c40_priority_of_stream_0 = sends(frame(PRIORITY, 0, 0, bytes(5)), ends(PROTOCOL), "PRIORITY needs a stream (6.3)")
c40_priority_size = sends(_OPEN + frame(PRIORITY, 0, 1, bytes(4)), resets(SIZE), "PRIORITY is five bytes (6.3)")
c40_reset_of_stream_0 = sends(frame(RESET, 0, 0, bytes(4)), ends(PROTOCOL), "RST_STREAM needs a stream (6.4)")
c40_reset_size = sends(_OPEN + frame(RESET, 0, 1, bytes(3)), ends(SIZE), "RST_STREAM is four bytes (6.4)")
c40_reset_cancels = sends(_OPEN + _CANCEL + call(3), goes_on(3), "a call may be cancelled (6.4)")
c40_settings_of_a_stream = sends(frame(SETTINGS, 0, 1), ends(PROTOCOL), "SETTINGS are the connection's (6.5)")
c40_settings_size = sends(frame(SETTINGS, 0, 0, b"12345"), ends(SIZE), "SETTINGS are entries of six bytes (6.5)")
c40_acknowledgement_with_content = sends(
    frame(SETTINGS, ACK, 0, b"123456"), ends(SIZE), "an acknowledgement is empty (6.5)"
)
c40_unknown_setting = sends(
    frame(SETTINGS, 0, 0, b"\0\x99\0\0\0\1") + call(), goes_on(1), "unknown settings are ignored (6.5.2)"
)
c40_push_setting = sends(frame(SETTINGS, 0, 0, b"\0\2\0\0\0\2"), ends(PROTOCOL), "ENABLE_PUSH is 0 or 1 (6.5.2)")
c40_first_window_setting = sends(
    frame(SETTINGS, 0, 0, b"\0\4\x80\0\0\0"), ends(FLOW), "INITIAL_WINDOW_SIZE is at most 2^31-1 (6.5.2)"
)
c40_bad_setting_behind_good = sends(
    frame(SETTINGS, 0, 0, b"\0\4\xff\0\0\0" + b"\0\4\0\0\xff\xff"), ends(FLOW), "each of two entries counts (6.5.3)"
)
c40_small_frame_setting = sends(
    frame(SETTINGS, 0, 0, b"\0\5\0\0\x3f\xff"), ends(PROTOCOL), "MAX_FRAME_SIZE is at least 16,384 (6.5.2)"
)
c40_large_frame_setting = sends(
    frame(SETTINGS, 0, 0, b"\0\5\1\0\0\0"), ends(PROTOCOL), "MAX_FRAME_SIZE is less than 2^24 (6.5.2)"
)
c40_push = sends(frame(PUSH, END_HEADERS, 1, bytes(4) + _BLOCK), ends(PROTOCOL), "clients do not push (6.6)")
c40_ping_of_a_stream = sends(frame(PING, 0, 1, bytes(8)), ends(PROTOCOL), "PING is the connection's (6.7)")
c40_ping_of_six_bytes = sends(frame(PING, 0, 0, bytes(6)), ends(SIZE), "PING is eight bytes (6.7)")
c40_ping_answered_unasked = sends(
    frame(PING, ACK, 0, b"12345678") + call(), goes_on(1), "an acknowledgement of no ping is ignored (6.7)"
)
c40_goaway_of_a_stream = sends(frame(GOAWAY, 0, 1, bytes(8)), ends(PROTOCOL), "GOAWAY is the connection's (6.8)")
c40_window_by_nothing = sends(
    frame(WINDOW, 0, 0, bytes(4)), ends(PROTOCOL), "the connection's window does not grow by nothing (6.9)"
)
c40_stream_window_by_nothing = sends(
    _OPEN + frame(WINDOW, 0, 1, bytes(4)), resets(PROTOCOL), "a stream's window does not grow by nothing (6.9)"
)
c40_window_size = sends(frame(WINDOW, 0, 0, bytes(3)), ends(SIZE), "WINDOW_UPDATE is four bytes (6.9)")
c40_window_too_large = sends(
    frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff"), ends(FLOW), "the connection's window is at most 2^31-1 (6.9.1)"
)
c40_stream_window_too_large = sends(
    _OPEN + frame(WINDOW, 0, 1, b"\x7f\xff\xff\xff"), resets(FLOW), "a stream's window is at most 2^31-1 (6.9.1)"
)
c40_settings_make_a_window_too_large = sends(
    _OPEN + frame(WINDOW, 0, 1, b"\x7f\xff\0\0") + frame(SETTINGS, 0, 0, b"\0\4\x7f\xff\xff\xff"),
    ends(FLOW),
    "settings make no window larger than 2^31-1 (6.9.2)",
)
c40_continued_headers = sends(
    frame(HEADERS, 0, 1, _BLOCK[:3])
    + frame(CONTINUATION, 0, 1, _BLOCK[3:4])
    + frame(CONTINUATION, END_HEADERS, 1, _BLOCK[4:])
    + data(),
    goes_on(1),
    "headers may be continued (6.10)",
)
c40_continuation_of_another_stream = sends(
    frame(HEADERS, 0, 1, _BLOCK[:9]) + frame(CONTINUATION, END_HEADERS, 3, _BLOCK[9:]),
    ends(PROTOCOL),
    "a continuation is of the same stream (6.10)",
)
c40_continuation_of_stream_0 = sends(
    frame(HEADERS, 0, 1, _BLOCK[:9]) + frame(CONTINUATION, END_HEADERS, 0, _BLOCK[9:]),
    ends(PROTOCOL),
    "a continuation has a stream (6.10)",
)


def _setting(target: Target, name: int, usual: int) -> int:
    with Link(target) as link:
        seen = link.greet().done()
        for payload in seen.of(SETTINGS):
            for position in range(0, len(payload), 6):
                if int.from_bytes(payload[position : position + 2], "big") == name:
                    return int.from_bytes(payload[position + 2 : position + 6], "big")
    return usual


def c40_frame_too_large(target: Target) -> None:
    """A frame larger than the server allows ends the connection (4.2)."""
    size = _setting(target, 5, 16_384) + 1
    if size < 2**22:
        sends(frame(PING, 0, 0, bytes(size)), ends(SIZE), "")(target)


def c40_too_many_streams(target: Target) -> None:
    """A stream beyond the number that the server allows is refused (5.1.2)."""
    most = _setting(target, 3, 2**31)
    if most < 2000:
        last = 2 * most + 1
        begun = b"".join(headers(asked(STREAM), number) for number in range(1, last + 1, 2))
        sends(begun, resets(REFUSED, PROTOCOL, CALM, stream=last), "")(target)


def c40_says_its_settings_and_acknowledges_ours(target: Target) -> None:
    """The server sends SETTINGS, and acknowledges those of the client (3.4, 6.5.3)."""
    with Link(target) as link:
        seen = link.greet().done()
    if not seen.frames or seen.frames[0][0] != SETTINGS or seen.frames[0][1] & ACK:
        raise Failed(f"SETTINGS are not its first frame: {seen.summary()}")
    if not any(kind == SETTINGS and flags & ACK for kind, flags, *_ in seen.frames):
        raise Failed("SETTINGS are not acknowledged")


def c40_ping_is_answered(target: Target) -> None:
    """A PING is answered with the same eight bytes (6.7)."""
    with Link(target) as link:
        seen = link.greet().send(frame(PING, 0, 0, b"abcdefgh")).done()
    if not any(kind == PING and flags & ACK and payload == b"abcdefgh" for kind, flags, _, payload in seen.frames):
        raise Failed(f"no such answer: {seen.summary()}")


def c40_a_window_of_one_byte(target: Target) -> None:
    """No more data come than the stream's window allows, and the rest when it grows (6.9.1, 6.9.2)."""
    with Link(target) as link:
        link.greet(b"\0\4\0\0\0\1").send(call()).done()
        seen = link.until(lambda seen: bool(seen.of(DATA)))
        if [len(each) for each in seen.of(DATA, 1) if each] != [1]:
            raise Failed(f"data of {[len(each) for each in seen.of(DATA, 1)]} bytes for a window of 1")
        link.send(frame(WINDOW, 0, 1, b"\0\0\0\1")).done()
        seen = link.until(lambda seen: sum(map(len, seen.of(DATA, 1))) == 2)
        if sum(map(len, seen.of(DATA, 1))) != 2:
            raise Failed("the second byte does not come")
        link.send(frame(SETTINGS, 0, 0, b"\0\4\0\0\xff\xff"))
        goes_on(1)(link)


def c40_a_window_below_nothing(target: Target) -> None:
    """Settings may bring a window below nothing; it must grow above it before data come (6.9.2)."""
    with Link(target) as link:
        link.greet(b"\0\4\0\0\0\3").send(call()).until(lambda seen: bool(seen.of(DATA)))
        link.send(frame(SETTINGS, 0, 0, b"\0\4\0\0\0\0") + frame(WINDOW, 0, 1, b"\0\0\0\3")).done()
        before = sum(map(len, link.seen.of(DATA, 1)))
        link.send(frame(WINDOW, 0, 1, b"\0\0\0\1")).done()
        seen = link.until(lambda seen: sum(map(len, seen.of(DATA, 1))) > before)
        if (before, sum(map(len, seen.of(DATA, 1)))) != (3, 4):
            raise Failed(f"{before} bytes at a window of nothing, then {sum(map(len, seen.of(DATA, 1)))}")
