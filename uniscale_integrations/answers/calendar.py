"""Dates and times of day, as they are written in several languages."""

from __future__ import annotations

import re
from datetime import date

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar janvier enero janeiro января", "february feb februar février fevrier febrero fevereiro февраля",
            "march mar märz mars marzo março марта", "april apr avril abril апреля", "may mai mayo maio мая",
            "june jun juni juin junio junho июня", "july jul juli juillet julio julho июля", "august aug août aout agosto августа",
            "september sep sept septembre septiembre setembro сентября", "october oct oktober octobre octubre outubro октября",
            "november nov novembre noviembre novembro ноября", "december dec dezember décembre decembre diciembre dezembro декабря",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH = "|".join(sorted(map(re.escape, _MONTHS), key=len, reverse=True))
_WEEKDAY = r"(?:(?:mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?\.?,? )?"
_ISO = re.compile(r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})")
_NUMBERS = re.compile(r"([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4})")
_DAY_FIRST = re.compile(
    rf"{_WEEKDAY}(?:the )?([0-9]{{1,2}})(?:st|nd|rd|th|er|\.)? (?:of |de )?({_MONTH})\.?,? (?:de )?([0-9]{{4}})"
)
_MONTH_FIRST = re.compile(rf"{_WEEKDAY}({_MONTH})\.? ([0-9]{{1,2}})(?:st|nd|rd|th)?,? ([0-9]{{4}})")
_MONTH_ONLY = re.compile(rf"({_MONTH})\.? (?:of |de )?([0-9]{{4}})")
_ISO_MONTH = re.compile(r"([12][0-9]{3})-(0[1-9]|1[0-2])")
_CHINESE = re.compile(r"([0-9]{4}) ?年 ?([0-9]{1,2}) ?月 ?([0-9]{1,2}) ?[日号]")
_CHINESE_DAY = re.compile(r"([0-9]{1,2}) ?月 ?([0-9]{1,2}) ?[日号]")
_TIME = re.compile(r"(?:at )?([0-9]{1,2})(?:[:.h]([0-5][0-9]))?(?::([0-5][0-9]))? ?(a\.?m\.?|p\.?m\.?|h|uhr|o'clock)?")


def date_of(text: str) -> tuple[int, ...] | str | None:
    """The day that a text names, as year, month and day.

    Args:
        text: in small letters, on one line.

    Returns:
        The text itself where it looks like a date and names none, or one of two; `None` where it does not look like one.

    Example:
        >>> date_of("30 may 2026"), date_of("may 30th, 2026"), date_of("2026-05-30"), date_of("30.05.2026")
        ((2026, 5, 30), (2026, 5, 30), (2026, 5, 30), (2026, 5, 30))
        >>> date_of("2026-30-05"), date_of("05/06/2026"), date_of("may 2026"), date_of("2026")
        ('2026-30-05', '05/06/2026', (2026, 5), None)
    """
    if match := _ISO.fullmatch(text) or _CHINESE.fullmatch(text):
        year, month, day = (int(part) for part in match.groups() if part.isdigit())
        return _day(year, month, day) or text
    if match := _CHINESE_DAY.fullmatch(text):
        return 0, int(match[1]), int(match[2])
    if match := _DAY_FIRST.fullmatch(text):
        return _day(int(match[3]), _MONTHS[match[2]], int(match[1])) or text
    if match := _MONTH_FIRST.fullmatch(text):
        return _day(int(match[3]), _MONTHS[match[1]], int(match[2])) or text
    if match := _NUMBERS.fullmatch(text):
        first, second, year = int(match[1]), int(match[3]), int(match[4])
        if match[2] == "/" and first != second and max(first, second) <= 12:
            # Half the world begins with the month.
            return text
        return _day(year, second, first) or (_day(year, first, second) if match[2] == "/" else None) or text
    if match := _ISO_MONTH.fullmatch(text):
        return int(match[1]), int(match[2])
    if match := _MONTH_ONLY.fullmatch(text):
        return int(match[2]), _MONTHS[match[1]]
    return None


def time_of(text: str) -> tuple[int, int, int] | None:
    """The time of day that a text names, as hours, minutes and seconds.

    Example:
        >>> time_of("2:30 pm"), time_of("14:30"), time_of("14h30"), time_of("12 a.m."), time_of("14.30"), time_of("7")
        ((14, 30, 0), (14, 30, 0), (14, 30, 0), (0, 0, 0), None, None)
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds, half = int(match[1]), match[2], match[3], (match[4] or "").replace(".", "")
    if half == "h" and minutes is None and " " in text:
        # So many hours, and no time of day.
        return None
    if not half and (minutes is None or "." in text):
        return None
    if half in ("am", "pm"):
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half == "pm" else 0)
    return (hours, int(minutes or 0), int(seconds or 0)) if hours < 25 else None


def _day(year: int, month: int, day: int) -> tuple[int, int, int] | None:
    try:
        date(year, month, day)
    except ValueError:
        return None
    return year, month, day
