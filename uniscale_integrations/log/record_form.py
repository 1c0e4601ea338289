"""Whether what was stored as JSON has the form in which it was stored: anybody may have written it."""

from __future__ import annotations

from math import isnan
from typing import Any


def has_form(value: object, form: Any) -> bool:
    """Whether a JSON value is of a form.

    Args:
        value: as `json.loads` gives it.
        form: `int`, `bool`, `str`, or `float` for any number but NaN; `[form]` for a list of any length, a tuple of forms for a list of
            that length, `{str: form}` for an object with any names, and `{"name": form}` for one with these.

    Example:
        >>> has_form({"counts": [1, 2], "by": {"a": [0.5, 1]}}, {"counts": [int], "by": {str: (float, float)}})
        True
        >>> has_form({"counts": None, "by": {}}, {"counts": [int], "by": {str: (float, float)}})
        False
    """
    if isinstance(form, dict):
        if not isinstance(value, dict):
            return False
        if str in form:
            return all(has_form(each, form[str]) for each in value.values())
        return value.keys() == form.keys() and all(has_form(value[name], each) for name, each in form.items())
    if isinstance(form, list | tuple):
        if not isinstance(value, list) or (isinstance(form, tuple) and len(value) != len(form)):
            return False
        forms = form if isinstance(form, tuple) else form * len(value)
        return all(map(has_form, value, forms))
    if form is float:
        return type(value) in (int, float) and not isnan(value)  # type: ignore[arg-type]  # it is a number
    return type(value) is form
