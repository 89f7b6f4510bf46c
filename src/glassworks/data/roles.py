"""Which column of a table is the text, the label, the user, the item, the time or the weight: by name, else by look."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from glassworks.record import Record

_NAMES: Mapping[str, frozenset[str]] = {
    role: frozenset(names.split())
    for role, names in {
        "user": "user userid reader customer customerid client member memberid visitor buyer who uid "
        "用户 用户id 用户编号 顾客 顾客id 客户 客户id 客户编号 会员 会员id 读者 买家",
        "item": "item itemid movieid movie film product productid article book bookid sku what iid track song "
        "商品 商品id 商品名称 商品编号 物品 物品id 产品 产品名称 货品 电影 图书",
        "time": "time timestamp date datetime when day createdat ts "
        "时间 日期 时间戳 购买日期 购买时间 下单时间 下单日期",
        "weight": "weight rating ratings stars count quantity score 评分 数量 次数",
        "text": "text texts content review reviewtext body sentence comment message description headline title "
        "document 文本 内容 评论 正文 句子 标题",
        "label": "label labels class category sentiment target topic tag y stars rating genre 标签 类别 分类 情感",
    }.items()
}
_LONG, _PROSE, _FEW = 20, 40, 50
"""Characters of a text on average, and of one that is no title or id; different values of a label."""


class Column(Record):
    """A column; `kind` is `number`, `text` or `list`, `sample` are its first three values as text."""

    name: str
    kind: str
    sample: tuple[str, ...]
    distinct: int
    """Different values among the rows that were looked at."""
    filled: int
    """Rows that hold a value, of those."""
    length: float
    """Characters of a value on average."""


def events_of(columns: Sequence[Column]) -> dict[str, str]:
    """The columns of interactions by their roles; `user` and `item` are in it only together."""
    found = {role: column for role in ("user", "item", "time", "weight") if (column := _named(columns, role))}
    return found if "user" in found and "item" in found else {}


def labelled_of(columns: Sequence[Column]) -> dict[str, str]:
    """The columns of text and label, as far as they are clear: by their names, else the long one and the one of few."""
    found: dict[str, str] = {}
    long = [column for column in columns if column.kind == "text" and column.length >= _LONG]
    text = _named(columns, "text")
    if text is None and len(long) == 1:
        text = long[0].name
    if text is None and len(columns) == 1 and columns[0].kind == "text":
        text = columns[0].name
    others = [column for column in columns if column.name != text]
    few = [
        column
        for column in others
        if 2 <= column.distinct <= min(_FEW, max(2, column.filled // 3)) and column.kind != "list"
    ]
    label = _named(others, "label") or (few[0].name if len(few) == 1 else None)
    if text:
        found["text"] = text
    if text and label:
        found["label"] = label
    return found


def parts_of(columns: Sequence[Column], roles: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that are one text together, such as a title and a body; none where a single one is the text."""
    others = [column for column in columns if column.kind == "text" and column.name not in _others(roles)]
    found = tuple(column.name for column in others if _plain(column.name) in _NAMES["text"])
    return found if len(found) > 1 and roles.get("text") in found else ()


def has_prose(columns: Sequence[Column]) -> bool:
    """Whether one that has no role among interactions looks like texts that people wrote, not like ids or titles."""
    others = [column for column in columns if column.name not in events_of(columns).values()]
    return any(column.kind == "text" and column.length >= _PROSE for column in others)


def _named(columns: Sequence[Column], role: str) -> str | None:
    """The first that has a name of the role, in the order of the columns."""
    return next((column.name for column in columns if _plain(column.name) in _NAMES[role]), None)


def _others(roles: Mapping[str, str]) -> list[str]:
    """The columns of all roles but the text."""
    return [name for role, name in roles.items() if role != "text"]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()
