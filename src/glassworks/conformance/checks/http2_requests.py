"""HTTP/2, request by request: RFC 9113, section 8, and the compression of headers, RFC 7541."""

from __future__ import annotations

from glassworks.conformance.http2 import (
    CALM,
    COMPRESSION,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    LIVE,
    PROTOCOL,
    STREAM,
    Check,
    asked,
    block,
    call,
    data,
    ends,
    frame,
    goes_on,
    headers,
    message,
    resets,
    sends,
    text,
)

_OPEN = headers(asked(STREAM))


def _malformed(pairs: list[tuple[bytes, bytes]], expects: str) -> Check:
    return sends(headers(pairs) + data(), resets(PROTOCOL), expects)


def _raw(content: bytes) -> bytes:
    return frame(HEADERS, END_HEADERS, 1, content)


c41_uppercase_name = _malformed(asked(b"/", (b"X-Upper", b"1")), "names of headers are lower case (8.2)")
c41_empty_name = _malformed(asked(b"/", (b"", b"1")), "names of headers are not empty (8.2.1)")
c41_space_in_a_name = _malformed(asked(b"/", (b"a b", b"1")), "names of headers hold no spaces (8.2.1)")
c41_colon_in_a_name = _malformed(asked(b"/", (b"a:b", b"1")), "names of headers hold no colon (8.2.1)")
c41_control_in_a_name = _malformed(asked(b"/", (b"a\x01", b"1")), "names of headers hold no control characters (8.2.1)")
c41_high_byte_in_a_name = _malformed(asked(b"/", (b"a\xff", b"1")), "names of headers are ASCII (8.2.1)")
c41_line_feed_in_a_value = _malformed(asked(b"/", (b"a", b"1\n2")), "values hold no line feed (8.2.1)")
c41_carriage_return_in_a_value = _malformed(asked(b"/", (b"a", b"1\r2")), "values hold no carriage return (8.2.1)")
c41_nul_in_a_value = _malformed(asked(b"/", (b"a", b"1\x002")), "values hold no NUL (8.2.1)")
c41_space_before_a_value = _malformed(asked(b"/", (b"a", b" 1")), "values begin with no space (8.2.1)")
c41_tab_behind_a_value = _malformed(asked(b"/", (b"a", b"1\t")), "values end with no tab (8.2.1)")
c41_connection = _malformed(asked(b"/", (b"connection", b"close")), "there is no header Connection (8.2.2)")
c41_keep_alive = _malformed(asked(b"/", (b"keep-alive", b"9")), "there is no header Keep-Alive (8.2.2)")
c41_proxy_connection = _malformed(asked(b"/", (b"proxy-connection", b"x")), "there is no Proxy-Connection (8.2.2)")
c41_transfer_encoding = _malformed(asked(b"/", (b"transfer-encoding", b"chunked")), "nothing is chunked (8.2.2)")
c41_upgrade = _malformed(asked(b"/", (b"upgrade", b"websocket")), "there is no header Upgrade (8.2.2)")
c41_te = _malformed(asked(te=b"gzip"), "TE is 'trailers' (8.2.2)")
c41_pseudo_header_behind = _malformed(
    [*asked(scheme=None), (b":scheme", b"http")], "pseudo-headers are before the others (8.3)"
)
c41_unknown_pseudo_header = _malformed([(b":other", b"x"), *asked()], "other pseudo-headers are an error (8.3)")
c41_pseudo_header_of_answers = _malformed([(b":status", b"200"), *asked()], ":status is for answers (8.3)")
c41_doubled_method = _malformed([(b":method", b"POST"), *asked()], ":method stands once (8.3.1)")
c41_doubled_scheme = _malformed([(b":scheme", b"http"), *asked()], ":scheme stands once (8.3.1)")
c41_doubled_path = _malformed([(b":path", b"/"), *asked()], ":path stands once (8.3.1)")
c41_doubled_authority = _malformed([(b":authority", b"x"), *asked()], ":authority stands once (8.3)")
c41_no_method = _malformed(asked(method=None), ":method is needed (8.3.1)")
c41_no_scheme = _malformed(asked(scheme=None), ":scheme is needed (8.3.1)")
c41_no_path = _malformed(asked(path=None), ":path is needed (8.3.1)")
c41_empty_path = _malformed(asked(b""), ":path is not empty (8.3.1)")
c41_relative_path = _malformed(asked(b"inference"), ":path begins with a slash (8.3.1)")
c41_another_host = _malformed(asked(b"/", (b"host", b"elsewhere")), "Host and :authority do not differ (8.3.1)")
c41_connect_with_a_path = _malformed(asked(method=b"CONNECT"), "CONNECT has no :scheme and no :path (8.5)")
c41_less_than_its_length = sends(
    headers(asked(STREAM, (b"content-length", b"9"))) + data(message()),
    resets(PROTOCOL),
    "no less data come than content-length says (8.1.1)",
)
c41_more_than_its_length = sends(
    headers(asked(STREAM, (b"content-length", b"1"))) + data(message()),
    resets(PROTOCOL),
    "no more data come than content-length says (8.1.1)",
)
c41_length_without_data = sends(
    headers(asked(STREAM, (b"content-length", b"5")), flags=END_HEADERS | END_STREAM),
    resets(PROTOCOL),
    "a stream without data has no content-length above 0 (8.1.1)",
)
c41_length_is_no_number = _malformed(asked(STREAM, (b"content-length", b"five")), "content-length is a number (8.1.1)")
c41_right_length = sends(
    call(1, LIVE, (b"content-length", b"5")), goes_on(1), "a right content-length is taken (8.1.1)"
)
c41_trailers = sends(
    headers(asked()) + data(flags=0) + headers([(b"x-later", b"1")], flags=END_HEADERS | END_STREAM),
    goes_on(1),
    "a request may end with trailers (8.1)",
)
c41_trailers_that_do_not_end = sends(
    _OPEN + headers([(b"x-later", b"1")]), resets(PROTOCOL), "trailers end their stream (8.1)"
)
c41_pseudo_header_in_trailers = sends(
    _OPEN + headers([(b":path", b"/")], flags=END_HEADERS | END_STREAM),
    resets(PROTOCOL),
    "trailers have no pseudo-headers (8.1)",
)
c41_uppercase_in_trailers = sends(
    _OPEN + headers([(b"X", b"1")], flags=END_HEADERS | END_STREAM),
    resets(PROTOCOL),
    "names of trailers are lower case (8.2)",
)
c41_others_go_on = sends(
    headers(asked(b"/", (b"X", b"1"))) + data() + call(3), goes_on(3), "a malformed request ends no other (8.1.1)"
)

# RFC 7541
_ROW = block(asked())
c42_index_0 = sends(_raw(b"\x80"), ends(COMPRESSION), "there is no index 0 (RFC 7541, 6.1)")
c42_index_beyond = sends(_raw(b"\xff\x80\x01"), ends(COMPRESSION), "an index beyond the table is an error (2.3.3)")
c42_name_beyond = sends(_raw(b"\x7f\x20\x01x"), ends(COMPRESSION), "so is the index of a name (6.2.1)")
c42_cut_string = sends(_raw(b"\x00\x05ab"), ends(COMPRESSION), "a string that is cut off is an error (5.2)")
c42_cut_number = sends(_raw(b"\xff\x80"), ends(COMPRESSION), "a number that is cut off is an error (5.1)")
c42_endless_number = sends(_raw(b"\xff" * 40 + b"\x01"), ends(COMPRESSION), "a number too large is an error (5.1)")
c42_end_of_string_symbol = sends(
    _raw(b"\x00\x84\xff\xff\xff\xff\x01x"), ends(COMPRESSION), "the symbol EOS is an error (5.2)"
)
c42_padding_too_long = sends(
    _raw(_ROW + b"\x00\x82\x07\xff\x01x"), ends(COMPRESSION), "padding of more than 7 bits is an error (5.2)"
)
c42_table_too_large = sends(
    _raw(b"\x3f\xe2\x1f" + _ROW), ends(COMPRESSION), "the table is no larger than was agreed (4.2, 6.3)"
)
c42_late_change_of_the_table = sends(
    _raw(_ROW + b"\x20"), ends(COMPRESSION), "the table's size changes at the beginning of a block only (4.2)"
)
c42_changes_of_the_table = sends(
    _raw(b"\x20\x3f\xe1\x1f" + _ROW) + data(), goes_on(1), "the table's size may change to 0 and back (4.2)"
)
c42_many_changes_of_the_table = sends(
    _raw(b"\x20" * 5000 + _ROW), ends(COMPRESSION, CALM, PROTOCOL), "countless changes of the table are an error (4.2)"
)
c42_indexed_fields = sends(
    _raw(_ROW + b"\x40" + text(b"x-kept") + text(b"1"))
    + data()
    + frame(HEADERS, END_HEADERS, 3, _ROW + b"\xbe")
    + data(stream=3),
    goes_on(3),
    "fields of earlier requests are referred to (2.3.2)",
)
c42_evicted_fields = sends(
    _raw(_ROW + b"\x40" + text(b"x-kept") + text(b"1"))
    + data()
    + frame(HEADERS, END_HEADERS, 3, b"\x20\x3f\xe1\x1f" + _ROW + b"\xbe"),
    ends(COMPRESSION),
    "fields that were driven out of the table are none (4.3)",
)
c42_a_field_larger_than_the_table = sends(
    _raw(_ROW + b"\x40" + text(b"x-large") + text(b"v" * 5000)) + data(),
    goes_on(1),
    "a field larger than the table empties it, and is no error (4.4)",
)
c42_never_indexed = sends(
    _raw(_ROW + b"\x10" + text(b"x-secret") + text(b"1")) + data(), goes_on(1), "fields may be never indexed (6.2.3)"
)
c42_compressed_strings = sends(
    _raw(_ROW + b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x9f") + data(),
    goes_on(1),
    "strings may be compressed (5.2)",
)
c42_large_headers = sends(
    call(1, LIVE, *((b"x-%d" % index, b"v" * 985) for index in range(16))) + call(3),
    goes_on(3),
    "a request with large headers ends no other (10.5.1)",
)
