"""A column by the name that a job gives it, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glassworks.data.tabular.missing import WORDS, trimmed
from glassworks.errors import DataError

_SHOWN = 12


def find_column(wanted: str, names: Sequence[str]) -> str | None:
    """The column of that name; else the only one that differs from it in case, or in blanks around."""
    if wanted in names:
        return wanted
    alike = [name for name in names if trimmed(name).casefold() == trimmed(wanted).casefold()]
    return alike[0] if len(alike) == 1 else None


def require_column(
    wanted: str, names: Sequence[str], source: str, key: str, option: str = "", repeated: Sequence[str] = ()
) -> str:
    """The column that the key names. Raises DataError, with a mend for a table without a line of names."""
    found = find_column(wanted, names)
    if found is not None and found in repeated:
        raise DataError(f"{source} has the column '{found}' more than once", "give each column a name of its own")
    if found is not None:
        return found
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    if has_no_names(names):
        example = ", ".join(f'"{each}"' for each in _invented(wanted, names))
        raise DataError(
            f"{source} has no column '{wanted}'; its first line looks like data: {shown}",
            f"name the columns: data.header = [{example}]; or name yours: data.{key} = ...{option}",
        )
    mend = f"its columns: {shown}; name yours: data.{key} = ...{option}"
    if len(names) == 1:
        mend = f"its only column: {shown}; name it: data.{key} = ...{option}; or what separates cells: "
        mend += "data.delimiter = ..."
    raise DataError(f"{source} has no column '{wanted}'", mend)


def has_no_names(names: Sequence[str]) -> bool:
    """Whether the names of columns are rather cells of a first row: numbers, sentences, or nothing at all."""
    return any(_is_number(each) or each in WORDS or len(each.split()) > 3 for each in names)


def by_role(roles: Mapping[str, str], names: Sequence[str], source: str) -> dict[str, str]:
    """The columns that a job names by their roles, which are its keys. Raises DataError."""
    return {role: require_column(wanted, names, source, role) for role, wanted in roles.items() if wanted}


def _invented(wanted: str, cells: Sequence[str]) -> list[str]:
    """Names for the cells of a first row: the longest one is the text, the shortest other one its label."""
    found = [f"column_{number}" for number in range(1, len(cells) + 1)]
    if wanted not in ("text", "label"):
        return [wanted, *found[1:]]
    order = sorted(range(len(cells)), key=lambda number: len(cells[number]))
    found[order[0]], found[order[-1]] = "label", "text"
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
