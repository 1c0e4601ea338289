"""A framework's model around an engine, which stays in its process: copies share it, and what is pickled comes out without one."""

from __future__ import annotations

from typing import Any, Self, cast

from uniscale_integrations.engine import UniScale


class ProcessBound:
    """For a pydantic model with a field `engine`, before its other bases."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A worker of a pool that raises while it reads its task is never heard of again, and whoever waits for it waits for ever.
        empty = cast(Any, type(self)).model_construct()
        for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
            object.__setattr__(self, name, getattr(empty, name))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        # Settings of its own around the same engine, which is there to be shared.
        return cast(Self, cast(Any, self).model_copy())

    @property
    def _engine(self) -> UniScale:
        engine: UniScale | None = cast(Any, self).engine
        if engine is None:
            name = type(self).__name__
            raise TypeError(
                f"a {name} holds models and an open log, which stay in their process; make one in each, on the same log"
            )
        return engine
