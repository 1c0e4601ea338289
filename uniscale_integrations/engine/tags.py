"""Names under which decisions are taken, for who is to find them again in the log: of a user, of a session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from uniscale_integrations.errors import ConfigurationError

MAX_TAGS, MAX_TAG = 20, 200
"""Tags of one decision, and characters of one."""

_tags: ContextVar[tuple[str, ...]] = ContextVar("uniscale_tags", default=())


@contextmanager
def tagged(*tags: str) -> Iterator[None]:
    """Have the log keep names with the decisions that are taken in the block, by the engine or a framework's calls of it, also in tasks.

    Without it the log says nothing of who has asked. `uniscale log forget --tag` takes the decisions of a tag out again.

    Args:
        tags: such as "user-17"; those of a block around this one count as well.

    Raises:
        ConfigurationError: a tag that is empty, no text, or longer than `MAX_TAG`; or more than `MAX_TAGS`.

    Example:
        >>> from uniscale_integrations import UniScale
        >>> from uniscale_integrations.engine.tags import tagged
        >>> engine = UniScale(models=["uniscale-0.3m"])
        >>> with tagged("user-17"):
        ...     decision = engine.decide("What is 1 + 1?")
        >>> engine.log.of_decisions([decision.id])[0].event.extra["tags"]
        ['user-17']
    """
    for tag in tags:
        if not isinstance(tag, str) or not 0 < len(tag) <= MAX_TAG:
            raise ConfigurationError(f"a tag is a text of 1 to {MAX_TAG} characters, such as 'user-17', got {tag!r:.80}")
    together = tuple(dict.fromkeys((*_tags.get(), *tags)))
    if len(together) > MAX_TAGS:
        raise ConfigurationError(f"a decision has at most {MAX_TAGS} tags, got {len(together)}")
    token = _tags.set(together)
    try:
        yield
    finally:
        _tags.reset(token)


def tags_now() -> tuple[str, ...]:
    """The tags that a decision taken here has."""
    return _tags.get()
