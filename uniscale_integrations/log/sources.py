"""The sources of feedback beside each other: who says what of which answers, and what that tells of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from uniscale_integrations.log.dawid_skene import PRIOR, Confusions, Pattern, fit, hard
from uniscale_integrations.log.feedback_rules import VERIFIER

MIN_OVERLAP = 30
"""Answers that a source must share with others before it is corrected for what they show of it."""

MIN_JUDGEMENTS = 10
"""Answers that a source must have judged before it is compared: where every user is a source of its own, most judge a few."""

MAX_COUNTED, MAX_COMPARED = 1000, 32
"""Sources whose judgements are counted, and those that are compared; a comparison takes time for each of them."""

MAX_RATERS = 6
"""Sources of one answer that are compared: what they may say together doubles with each."""

REFIT = 10
"""Shared answers after which the sources are compared anew; later on a twentieth of those there are."""

SILENCE = "silence of "
"""What the name of a source's silence begins with, which is compared like a source: 1 where it was silent, 0 where it judged."""

UNCOMPARED, UNKNOWN = (99.0, 1.0), (1.0, 1.0)
"""Priors of a source that nothing speaks against yet, which is what others are compared with, and of silence and the verifier."""


SOURCES_FORM = {
    "patterns": [(str, [(str, int)], float)],
    "judged": {str: int},
    "compared": {str: int},
    "overlap": (int, int),
    "confusions": ({str: (float, float)}, {str: float}, float),
}
"""Of what `Sources.record` gives, for `has_form`."""


class Sources:
    """Compares sources by the answers that they share, and says which are known well enough to be corrected.

    It is a fold: the same calls in the same order give the same. One source by itself, or several without a shared answer, are never
    corrected, and what was judged never is by silence alone.

    Args:
        weights: of sources, in (0, 1]; 1 by default.

    Attributes:
        confusions: as of the last comparison.

    Example:
        >>> sources = Sources()
        >>> for place in range(100):
        ...     right = float(place % 5 > 0)
        ...     sources.change("small", {}, {"thumbs": 0.0 if place % 2 else right, "exact": right, "judge": right})
        >>> sources.known({"thumbs": 0.0, "user-17": 1.0})
        {'thumbs': 0.0}
        >>> sensitivity, specificity = sources.confusions.raters["thumbs"]
        >>> sensitivity < 0.6, specificity > 0.9
        (True, True)
    """

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self.confusions, self._weights = Confusions(), dict(weights or {})
        self._patterns: dict[Pattern, float] = {}
        self._judged: dict[str, int] = {}
        self._compared: dict[str, int] = {}
        self._overlap, self._fitted = 0, 0

    @property
    def any_known(self) -> bool:
        """Whether any source is corrected."""
        return any(map(self._is_known, self._compared))

    @property
    def compared(self) -> Collection[str]:
        """The sources that are compared; at most `MAX_COMPARED`."""
        return self._compared.keys()

    def known(self, says: Mapping[str, float]) -> dict[str, float]:
        """Those of some judgements whose sources are corrected; at most `MAX_RATERS`."""
        chosen = [source for source in sorted(says) if self._is_known(source)][:MAX_RATERS]
        return {source: says[source] for source in chosen}

    def worth(self, source: str, configuration: str, says: float) -> float:
        """As of `Confusions`, for a source that is known."""
        return self.confusions.worth(source, configuration, says)

    def worth_of_silence(self, source: str, configuration: str, *, right: bool) -> float | None:
        """What a source's silence counts as a right answer, or a wrong one; `None` where that is not known."""
        rater = SILENCE + source
        return self.confusions.worth_of_silence(rater, configuration, right=right) if self._is_known(rater) else None

    def combined(self, says: Mapping[str, float], configuration: str) -> tuple[float, float]:
        """How right an answer is that several known sources have judged, and what that counts."""
        correct = self.confusions.posterior(says, configuration, self._weights)
        return correct, self.confusions.reliability(says, configuration)

    def change(self, configuration: str, before: Mapping[str, float], after: Mapping[str, float]) -> None:
        """Take note that an answer's judgements are others than before.

        Args:
            configuration: of the answer.
            before: how right each source said it was, in [0, 1]; those that are not `compared` and say the same as before may be missing.
            after: how right each says it is now, of the same sources and those that are new.
        """
        for source in after.keys() - before.keys():
            self._count(source)
        old, new = self._comparable(before), self._comparable(after)
        for pattern, share in hard(old).items() if old else ():
            left = self._patterns.pop((configuration, pattern), 0.0) - share
            if left > 1e-9:
                self._patterns[configuration, pattern] = left
        for pattern, share in hard(new).items() if new else ():
            self._patterns[configuration, pattern] = self._patterns.get((configuration, pattern), 0.0) + share
        self._note_overlap(old, new)
        if self._overlap >= MIN_OVERLAP and self._overlap - self._fitted >= max(REFIT, self._fitted // 20):
            self._fitted = self._overlap
            self.confusions = fit(self._patterns, self._weights, {source: self._prior(source) for source in self._compared})

    def record(self) -> dict[str, Any]:
        """For `restore`, JSON-ready."""
        return {
            "patterns": [[configuration, says, share] for (configuration, says), share in self._patterns.items()],
            "judged": self._judged,
            "compared": self._compared,
            "overlap": [self._overlap, self._fitted],
            "confusions": self.confusions.record(),
        }

    def restore(self, record: Mapping[str, Any]) -> None:
        """Go on from what `record` gave."""
        self._patterns = {
            (configuration, tuple((rater, bit) for rater, bit in says)): share
            for configuration, says, share in record["patterns"]
        }
        self._judged, self._compared = dict(record["judged"]), dict(record["compared"])
        self._overlap, self._fitted = record["overlap"]
        self.confusions = Confusions.restore(record["confusions"])

    def _is_known(self, source: str) -> bool:
        return self._compared.get(source, 0) >= MIN_OVERLAP and source in self.confusions.raters

    def _count(self, source: str) -> None:
        if source in self._compared:
            return
        if source not in self._judged and len(self._judged) >= MAX_COUNTED:
            # The one that has been counted longest, most likely one of many that judge once.
            self._judged.pop(next(iter(self._judged)))
        self._judged[source] = self._judged.get(source, 0) + 1
        if self._judged[source] >= MIN_JUDGEMENTS and len(self._compared) < MAX_COMPARED:
            self._judged.pop(source)
            self._compared[source] = 0

    def _comparable(self, says: Mapping[str, float]) -> dict[str, float]:
        return {source: says[source] for source in [each for each in sorted(says) if each in self._compared][:MAX_RATERS]}

    def _note_overlap(self, old: Mapping[str, float], new: Mapping[str, float]) -> None:
        before, after = _shared(old), _shared(new)
        for source in sorted(after - before):
            self._compared[source] += 1
        self._overlap += bool(after) and not before

    def _prior(self, source: str) -> tuple[float, float]:
        if source == VERIFIER or source.startswith(SILENCE):
            return UNKNOWN
        return PRIOR if self._compared[source] >= MIN_OVERLAP else UNCOMPARED


def _shared(says: Mapping[str, float]) -> set[str]:
    """Those of an answer's sources that others tell something of.

    That a source was not silent is no second opinion of what it said.
    """
    sources = {each for each in says if not each.startswith(SILENCE)}
    silences = {each for each, value in says.items() if each.startswith(SILENCE) and value}
    return (sources if len(sources) > 1 else set()) | (silences if sources else set())
