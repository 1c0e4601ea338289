"""One brain in the place of another: where an engine is given other models, and where probes have found what its models can do."""

from __future__ import annotations

import logging
from collections.abc import Callable

from uniscale_integrations.concurrency.background import BackgroundWork
from uniscale_integrations.concurrency.forks import ForkLock
from uniscale_integrations.concurrency.threads import begin_in_thread, wait_a_while
from uniscale_integrations.engine.brain import Brain, build
from uniscale_integrations.engine.knowledge import Knowledge
from uniscale_integrations.engine.probe_results import ProbeResults, learners
from uniscale_integrations.errors import LogError

PATIENCE = 0.02
"""Seconds that the first requests wait at most for what other workers have found."""

_log = logging.getLogger(__name__)


class Succession:
    """Swaps brains, one at a time.

    A brain that takes models to continue partial answers which do not, or the other way round, is succeeded by one that knows better. That
    may fold the log anew, for which no request waits.

    Args:
        knowledge: with the brain that decides.
        probes: shares what was found of the models with other workers.
        began: told each brain that begins, also the first one.
    """

    def __init__(self, knowledge: Knowledge, probes: ProbeResults, began: Callable[[Brain], None]) -> None:
        self._knowledge, self._probes, self._began = knowledge, probes, began
        self._swapping = ForkLock(brief=False)
        self._background = BackgroundWork(self._adopt_or_warn, "uniscale probes")
        self._begin(knowledge.brain)

    def swap(self, successor: Callable[[Brain], Brain]) -> None:
        """Go on with the brain that is made of the one that decides; requests that are under way keep theirs.

        Raises:
            Exception: what `successor` raised, or a log that cannot be read; nothing has changed then.
        """
        with self._swapping:
            self._succeed(successor(self._knowledge.brain))

    async def look(self) -> None:
        """Before a model is asked: share what was found of the models, and know what others have found, so that it is not probed again."""
        if self._probes.due(self._learners.values()):
            learners = self._learners.values()
            # A log that does not answer costs a probe, and holds nobody up.
            await wait_a_while(begin_in_thread(lambda: self._probes.exchange(learners)), self._knowledge.patience(PATIENCE))

    def adopt(self) -> None:
        """Share what was found of the models, and choose from now on by what is known of them: of equal searches one is left.

        Raises:
            LogError: the log cannot be read.
        """
        if not self._has_news:
            return
        with self._swapping:
            self._probes.exchange(self._learners.values())
            if self._outdated:
                brain = self._knowledge.brain
                self._succeed(build(brain.design, self._knowledge.log, brain))

    def adopt_soon(self) -> None:
        """The same for who decides, and waits only a moment for a log that does not answer."""
        if self._has_news:
            self._background.start()
            self._background.wait(self._knowledge.patience(PATIENCE))

    def adopt_later(self) -> None:
        """The same in the background, where it is due; a log that cannot be read is warned of, and tried again after the next request."""
        if self._has_news:
            self._background.start()

    def close(self) -> None:
        """Wait for what is being done."""
        self._background.wait()

    @property
    def _has_news(self) -> bool:
        """Whether anything was found of the models that other workers or the brain do not know."""
        return self._probes.due(self._learners.values()) or self._outdated

    @property
    def _outdated(self) -> bool:
        """Whether the brain takes a model to continue partial answers of which it is known that it does not, or the other way round."""
        whole = self._knowledge.brain.duplicates.models
        return any((model.continues is False) != (name in whole) for name, model in self._learners.items())

    def _adopt_or_warn(self) -> None:
        try:
            self.adopt()
        except LogError as error:
            _log.warning("what was found of the models is not taken into account yet: %s", error)

    def _succeed(self, brain: Brain) -> None:
        self._knowledge.swap(brain)
        self._begin(brain)

    def _begin(self, brain: Brain) -> None:
        self._learners = learners(brain.models)
        self._began(brain)
