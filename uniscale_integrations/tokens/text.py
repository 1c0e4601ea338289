"""Tokens of a text: by the model's vocabulary once that is loaded, and until then, or without one, by an estimate."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import pairwise
from zlib import crc32

from uniscale_integrations.concurrency.forks import ForkLock
from uniscale_integrations.tokens.estimate import estimate_tokens
from uniscale_integrations.tokens.vocabulary import VOCABULARIES, vocabulary_of

MAX_SEGMENT = 4_000
"""Characters that are encoded at once: an endless word takes more than linear time, and a megabyte of spaces overflows the stack."""

MAX_COUNTED = 100_000
"""Characters of a text that is counted whole; of a longer one, pieces that are spread over it."""

PIECES, PIECE = 50, 2_000
"""How many those are, and how long."""

MAX_REMEMBERED = 8_192
"""Texts whose tokens are remembered: a conversation's history comes again with every turn."""

Key = tuple[str, bool, int, int]


class CountCache:
    """The most recent counts, by vocabulary, length and hash of the text, which itself is not kept.

    Args:
        limit: how many.
    """

    def __init__(self, limit: int = MAX_REMEMBERED) -> None:
        self._counts: OrderedDict[Key, float] = OrderedDict()
        self._limit, self._lock = limit, ForkLock()

    def __len__(self) -> int:
        return len(self._counts)

    def get(self, key: Key) -> float | None:
        """The count of a text, which is then the most recent; `None` where it is not remembered."""
        with self._lock:
            count = self._counts.get(key)
            if count is not None:
                self._counts.move_to_end(key)
            return count

    def put(self, key: Key, count: float) -> None:
        """Remember a count, and forget the one that was needed longest ago where there are too many."""
        with self._lock:
            self._counts[key] = count
            while len(self._counts) > self._limit:
                self._counts.popitem(last=False)


_CACHE = CountCache()


def count_tokens(text: str, model_name: str, *, wait: bool = False) -> float:
    """How many tokens a text is to a model.

    By the model's vocabulary, or the nearest, if that is on disk; until it is loaded, and where there is none, an estimate that is right
    within about a quarter (see `estimate_tokens`). Takes about 1 ms of 4,000 tokens, at most some 30 ms of a text of any length, and
    microseconds of a text that was counted before.

    Args:
        text: any text; of more than 100,000 characters, pieces are counted.
        model_name: of the model, as of `vocabulary_of`.
        wait: whether to wait until the vocabulary is loaded, which takes less than a second once a process; not in an event loop.

    Example:
        >>> count_tokens("How many tokens are there in this sentence?", "gpt-5-mini", wait=True)
        9.0
    """
    if not text:
        return 0.0
    name = vocabulary_of(model_name)
    encoding = VOCABULARIES.load(name) if wait else VOCABULARIES.get(name)
    key = (name, encoding is not None, len(text), hash(text))
    count = _CACHE.get(key)
    if count is None:
        if encoding is None:
            count = count_pieces(text, lambda piece: estimate_tokens(piece, name))
        else:
            encode = encoding.encode_ordinary
            count = count_pieces(text, lambda piece: len(encode(piece)))
        _CACHE.put(key, count)
    return count


def count_pieces(text: str, count: Callable[[str], float]) -> float:
    """The sum over the segments of a text, or, of a long one, what pieces of it come to in proportion.

    Args:
        text: not empty.
        count: of one segment.

    Example:
        >>> count_pieces("ab" * 1_000, len), count_pieces("ab" * 1_000_000, len)
        (2000.0, 2000000.0)
    """
    if len(text) <= MAX_COUNTED:
        return float(sum(map(count, segments(text))))
    stride = (len(text) - PIECE) / (PIECES - 1)
    pieces = [text[round(place * stride) : round(place * stride) + PIECE] for place in range(PIECES)]
    return sum(map(count, pieces)) / (PIECES * PIECE) * len(text)


def segments(text: str) -> Iterator[str]:
    """A text in parts of at most 4,000 characters, cut before white space where there is any in their second half.

    Example:
        >>> [len(part) for part in segments("word " * 1_000)]
        [3999, 1001]
    """
    start = 0
    while len(text) - start > MAX_SEGMENT:
        low, high = start + MAX_SEGMENT // 2, start + MAX_SEGMENT
        # Tokens of words begin with the space before them.
        place = max(text.rfind(" ", low, high), text.rfind("\n", low, high))
        end = place if place > 0 else high
        yield text[start:end]
        start = end
    yield text[start:]


def token_ids(text: str, model_name: str = "") -> list[int]:
    """The ids of a text's tokens; without the vocabulary, numbers that stand for about as many, equal for equal pieces.

    Waits until the vocabulary is loaded, like `count_tokens(..., wait=True)`. Its time is linear in the text's length.

    Args:
        text: any text.
        model_name: as of `count_tokens`.

    Example:
        >>> len(token_ids("How many tokens are there in this sentence?", "gpt-5-mini")), token_ids("", "gpt-5-mini")
        (9, [])
    """
    name = vocabulary_of(model_name)
    encoding = VOCABULARIES.load(name)
    if encoding is not None:
        return [token for part in segments(text) for token in encoding.encode_ordinary(part)]
    number = round(count_tokens(text, model_name))
    places = [round(place * len(text) / number) for place in range(number + 1)] if number else [0]
    return [crc32(text[start:end].encode(errors="surrogatepass")) for start, end in pairwise(places)]
