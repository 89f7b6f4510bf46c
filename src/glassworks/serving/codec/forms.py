"""Forms of `multipart/form-data`, parsed by python-multipart, with bounds that it does not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from glassworks.errors import InputError

_MOST_PARTS = 32
_FIELD_BYTES = 64 * 2**10
_TYPE = b"multipart/form-data"
_MEND = "send a form of multipart/form-data, as OpenAI's client or 'curl -F' does"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form, under the name that its client gives it."""

    filename: str
    content: bytes


class Form:
    """The fields and files of a form by their names. Raises InputError for what is no whole form.

    It takes as long as the body is large: do it beside the event loop. Only where files may be `repeated` do several
    have one name: `uploads` are all of them, in their order.
    """

    def __init__(self, content_type: bytes, body: bytes | bytearray, repeated: bool = False) -> None:
        from python_multipart.exceptions import FormParserError
        from python_multipart.multipart import MultipartParser

        boundary = _boundary(content_type)
        # Each boundary, or beginning of one, takes the parser a while: how many there are is known before.
        if bytes(body).count(b"\r\n--" + boundary) > _MOST_PARTS + 1:
            raise InputError(f"the form has more than {_MOST_PARTS} parts", "send one file and its purpose")
        self.fields: dict[str, str] = {}
        self.files: dict[str, Upload] = {}
        self.uploads: list[tuple[str, Upload]] = []
        self._repeated = repeated
        self._header, self._value, self._headers = b"", b"", dict[bytes, bytes]()
        self._content: list[bytes] = []
        self._whole = False
        try:
            MultipartParser(boundary, self._callbacks()).write(bytes(body))  # type: ignore[arg-type]
        except FormParserError as error:
            raise InputError(f"the form cannot be read: {error}", _MEND) from None
        if not self._whole:
            raise InputError("the form ends before its last boundary", _MEND)

    def _callbacks(self) -> Mapping[str, object]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._more_header,
            "on_header_value": self._more_value,
            "on_header_end": self._header_ends,
            "on_part_data": self._more_content,
            "on_part_end": self._end,
            "on_end": self._all,
        }

    def _begin(self) -> None:
        self._headers, self._content = {}, []

    def _more_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _more_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _more_content(self, data: bytes, start: int, end: int) -> None:
        self._content.append(data[start:end])

    def _end(self) -> None:
        from python_multipart.multipart import parse_options_header

        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if kind != b"form-data" or not name:
            raise InputError("a part of the form has no name", _MEND)
        is_file = b"filename" in options
        if name in self.fields or (name in self.files and not (is_file and self._repeated)):
            raise InputError(f"the form has '{name[:100]}' twice", "send each field once")
        content = b"".join(self._content)
        if is_file:
            self.files[name] = Upload(options[b"filename"].decode("utf-8", "replace"), content)
            self.uploads.append((name, self.files[name]))
            return
        if len(content) > _FIELD_BYTES:
            raise InputError(
                f"the field '{name[:100]}' has {len(content):,} bytes", "send a file as one, with its name"
            )
        try:
            self.fields[name] = content.decode()
        except UnicodeDecodeError:
            raise InputError(f"the field '{name[:100]}' is not valid UTF-8", _MEND) from None

    def _all(self) -> None:
        self._whole = True


def _boundary(content_type: bytes) -> bytes:
    from python_multipart.multipart import parse_options_header

    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != _TYPE or not 0 < len(boundary) <= 70:
        raise InputError(f"the content type is {content_type[:100].decode('latin-1')!r}", _MEND)
    return boundary
