"""Dates as people and programs write them: from one value to the formats that it can be."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars

NUMBER = "number"
YEAR, DAY, MONTH = "year first", "day first", "month first"
"""Of dates in numbers, which one stands first."""
NAMED, DIGITS, WEEK = "with the month's name", "in digits alone", "by the week or day of the year"
_COMMENT = r"\s*(\(.*\)|\[.*\])$"
_HALVES = {
    "AM": ("上午", "午前", "오전", "a.m.", "A.M.", "a. m.", "a.\u00a0m."),
    "PM": ("下午", "午後", "오후", "p.m.", "P.M.", "p. m.", "p.\u00a0m."),
}
_PLAIN = {sign: half for half, signs in _HALVES.items() for sign in signs}
_PLAIN |= {**dict.fromkeys("\u00a0\u202f\u2009\u3000", " "), "\u2212": "-"}
"""What locales write, and its form that formats know: halves of the day, blanks, and the sign before a zone."""
_NOTHING = re.compile(r"0000[-/]00[-/]00([ T]00:00:00(\.0+)?Z?)?")
"""What MySQL writes where there is no date."""
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_CLOCK = re.compile(
    r"(?P<join>T|\s+|:|,\s*|(?<=[日号]))"
    r"(?P<before>[AP]M\s*)?"
    r"(?P<clock>\d{1,2}:\d{2}(:\d{2})?|\d{1,2}[时時点點]\d{1,2}分(\d{1,2}秒)?|\d{4}(\d{2})?)"
    r"(?P<fraction>\.\d+)?"
    r"(?P<half>\s*[AP]M)?"
    r"(?P<zone>\s*(Z|UTC|GMT|(GMT|UTC)?[+-]\d{2}(:?\d{2})?))?"
    r"(?P<year>\s+\d{4})?$",
    re.ASCII | re.IGNORECASE,
)
_MONTHS = [name.lower() for name in calendar.month_name[1:]]
_DAYS = [name.lower() for name in calendar.day_name]
_WORD = re.compile(r"[A-Za-z]+|\d+")


@dataclass(frozen=True)
class Layout:
    """`format` is a strptime format; `suffix` completes a value, such as a month by its first day. `comma` stands
    before fractions of seconds, `comment` stands behind in parentheses, `local` has signs of a locale."""

    kind: str
    format: str
    suffix: str = ""
    comma: bool = False
    comment: bool = False
    local: bool = False

    @property
    def zoned(self) -> bool:
        """Whether the value says how far from UTC it is."""
        return any(zone in self.format for zone in ("%#z", "UTC", "GMT"))

    def microseconds(self, column: polars.Expr) -> polars.Expr:
        """Of a column of text; null for what is written otherwise."""
        import polars

        text = column.str.strip_chars()
        if self.comment:
            text = text.str.replace(_COMMENT, "")
        if self.local:
            text = text.str.replace_many(_PLAIN, leftmost=True)
        if self.comma:
            text = text.str.replace(r"(\d),(\d+)", "${1}.${2}")
        if self.suffix:
            text = text + polars.lit(self.suffix)
        if not any(each in self.format for each in ("%H", "%I")):
            return text.str.to_date(self.format, strict=False).cast(polars.Datetime("us")).dt.epoch("us")
        zone = "UTC" if re.search("%#?:?z", self.format) else None
        return text.str.to_datetime(self.format, time_unit="us", strict=False, time_zone=zone).dt.epoch("us")


def layouts_of(value: str) -> Sequence[Layout]:
    """All layouts that a value can be; empty for what is neither a number nor a known date."""
    text = value.strip()
    if _NOTHING.fullmatch(text) or any(each.isdecimal() and not each.isascii() for each in text):
        return []
    numbers = [Layout(NUMBER, "")] if _NUMBER.fullmatch(text) else []
    plain = re.sub(_COMMENT, "", text)
    for local, usual in _PLAIN.items():
        plain = plain.replace(local, usual)
    dotted = re.sub(r"(\d),(\d+)", r"\1.\2", plain) if ":" in plain else plain
    flags = (dotted != plain, bool(re.search(_COMMENT, text)), any(each in text for each in _PLAIN))
    return [*numbers, *(Layout(kind, form, end, *flags) for kind, form, end in _formats(dotted))]


def _formats(text: str) -> Iterator[tuple[str, str, str]]:
    """Kind, format and suffix of each reading."""
    for kind, form, end in _dates(text):
        yield kind, form, end
    for clock in _CLOCK.finditer(text):
        for kind, form, end in _dates(text[: clock.start()] + (clock["year"] or "")):
            if not end:
                yield kind, _with_clock(form, clock), ""


def _with_clock(date: str, clock: re.Match[str]) -> str:
    half, zone = clock["before"] or clock["half"], clock["zone"] or ""
    hour, written = "%I" if half else "%H", clock["clock"]
    if ":" in written:
        form = f"{hour}:%M" + (":%S%.f" if written.count(":") == 2 else "")
    elif written.isdecimal():
        form = "%H%M" + ("%S%.f" if len(written) == 6 else "")
    else:
        form = re.sub(r"\d+", "{}", written).format(hour, "%M", "%S")
    if half:
        gap = " " if half != half.strip() else ""
        form = f"%p{gap}{form}" if clock["before"] else f"{form}{gap}%p"
    form += re.sub(r"([+-]\d{2}:?(\d{2})?|\bZ)$", "%#z", zone.upper())
    join = " " if clock["join"].isspace() else clock["join"]
    if clock["year"]:
        return f"{date.removesuffix(' %Y')}{join}{form} %Y"
    return f"{date}{join}{form}"


def _dates(text: str) -> Iterator[tuple[str, str, str]]:
    if match := re.fullmatch(r"\d{4}([-/. ])\d{1,2}(\1\d{1,2})?", text):
        mark = match[1]
        yield (YEAR, f"%Y{mark}%m{mark}%d", "" if match[2] else f"{mark}01")
    elif match := re.fullmatch(r"\d{4}(\s*年\s*)\d{1,2}(\s*月\s*)\d{1,2}(\s*[日号])", text):
        yield (YEAR, f"%Y{match[1]}%m{match[2]}%d{match[3]}", "")
    elif match := re.fullmatch(r"\d{1,2}([-/. ]|\. )\d{1,2}\1(\d{4}|\d{2})", text):
        mark, year = match[1], "%Y" if len(match[2]) == 4 else "%y"
        yield (DAY, f"%d{mark}%m{mark}{year}", "")
        yield (MONTH, f"%m{mark}%d{mark}{year}", "")
        if year == "%y":
            yield (YEAR, f"%y{mark}%m{mark}%d", "")
    elif re.fullmatch(r"\d{8}|\d{12}|\d{14}", text):
        yield (DIGITS, "%Y%m%d%H%M%S"[: len(text) - 2 if len(text) > 8 else 6], "")
    elif match := re.fullmatch(r"\d{4}(-?)W\d{2}((-?)\d)?", text):
        yield (WEEK, f"%G{match[1]}W%V{match[1]}%u", "" if match[2] else f"{match[1]}1")
    elif re.fullmatch(r"\d{4}-\d{3}", text):
        yield (WEEK, "%Y-%j", "")
    elif form := _named(text):
        yield (NAMED, form, "")


def _is_name(word: str, names: Sequence[str]) -> bool:
    """Whether it is one in English, or its first three letters."""
    return any(word in (name, name[:3]) for name in names)


def _named(text: str) -> str:
    """The format of a date with the name of its month, such as `Tue, 14 Nov 2023`; empty for none."""
    found: list[str] = []

    def part(match: re.Match[str]) -> str:
        word = match[0].lower()
        known = [form for names, form in ((_MONTHS, "%B"), (_DAYS, "%A")) if _is_name(word, names)]
        if word.isdecimal():
            known = ["%Y"] if len(word) == 4 else ["%d" if "%d" not in found else "%y"] if len(word) <= 2 else []
        found.extend(known or [""])
        return known[0] if known else word

    form = re.sub(r"\s+", " ", _WORD.sub(part, text))
    whole = sorted(each for each in found if each != "%A")
    return form if whole in (["%B", "%Y", "%d"], ["%B", "%d", "%y"]) else ""
