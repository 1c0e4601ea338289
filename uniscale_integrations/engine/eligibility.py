"""Which configurations can serve a request, and why the others cannot."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from itertools import compress
from math import inf
from types import MappingProxyType

from uniscale_integrations.cost.hardware import HardwareProfile
from uniscale_integrations.engine.estimates import limited_by
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.policy import Mask
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, capabilities_of
from uniscale_integrations.search.ports import Generator
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.tokens import count_conversation

MAX_COOLDOWN = 60.0
"""Most seconds for which a model that fails is left alone."""

RECENT = 0.3
"""What the last request counts in how long one takes."""

MEMORY_SECONDS = 60.0
"""Seconds after which it counts no more: what is not tried for being slow would be so for ever."""

MARGIN = 1.5
"""How many times as long as of late a model may take before it counts as not answering."""

MAX_BYTES = 4
"""Of a character, which is as many tokens at most."""

Reasons = Mapping[Configuration, str]
"""Why configurations may not be chosen."""

Duplicates = Mapping[Configuration, Configuration]
"""Configurations that run the same search as another one, and that one."""


class CircuitBreaker:
    """Models that have failed rest, each time twice as long, so that not every request waits for their failure first.

    Example:
        >>> breaker = CircuitBreaker()
        >>> breaker.record_failure("small")
        >>> breaker.record_failure("small")
        >>> breaker.models()
        {'small': 2}
        >>> breaker.record_success("small")
        >>> breaker.models()
        {}
    """

    def __init__(self) -> None:
        self._until: dict[str, tuple[float, int]] = {}

    def record_failure(self, model: str) -> None:
        """Note that every candidate of a model failed."""
        _, times = self._until.get(model, (0.0, 0))
        self._until[model] = time.monotonic() + min(MAX_COOLDOWN, 2.0 ** min(times, 10)), times + 1

    def record_success(self, model: str) -> None:
        """Note that a model works."""
        self._until.pop(model, None)

    def without(self, removed_models: Collection[str]) -> CircuitBreaker:
        """The same without some models."""
        breaker = CircuitBreaker()
        breaker._until = {model: until for model, until in list(self._until.items()) if model not in removed_models}
        return breaker

    def models(self) -> dict[str, int]:
        """The models that rest now, with how often they failed in a row."""
        if not self._until:
            return {}
        now = time.monotonic()
        return {model: times for model, (until, times) in list(self._until.items()) if until > now}


class Eligibility:
    """Knows what each configuration needs, costs and has failed at.

    Args:
        space: the configurations.
        models: by name.
        hardware: the profile that prices compute.
        verified: whether there is a verifier to choose between candidates.
        max_cost: most that one request may be expected to cost.
        duplicates: configurations that run the same search as another one, with that.
        whole_duplicates: the same of requests whose answers cannot be cut into steps.

    Attributes:
        breaker: models that have failed.
    """

    def __init__(
        self,
        space: ConfigurationSpace,
        models: Mapping[str, Generator],
        hardware: HardwareProfile,
        *,
        verified: bool,
        max_cost: float | None = None,
        duplicates: Duplicates = MappingProxyType({}),
        whole_duplicates: Duplicates = MappingProxyType({}),
    ) -> None:
        self.breaker = CircuitBreaker()
        self._space, self._models, self._hardware, self.max_cost = space, models, hardware, max_cost
        self._seconds: dict[Configuration, tuple[float, float]] = {}
        self._windows = {
            name: (window, str(getattr(model, "model_id", name)))
            for name, model in models.items()
            if (window := getattr(model, "context_window", None)) is not None
        }
        self._never: dict[Configuration, str] = {}
        for configuration in space:
            if not verified and configuration.cp > 1:
                self._never[configuration] = "it chooses between candidates, which needs a verifier"
            elif configuration in duplicates:
                self._never[configuration] = (
                    f"the model cannot continue a partial answer: this is {_shape(duplicates[configuration])}"
                )
        self._whole_duplicates = {
            each: f"the answer cannot be cut into steps: this is {_shape(one)}"
            for each, one in whole_duplicates.items()
            if each not in self._never and one not in self._never
        }

    def remember(self, other: Eligibility) -> None:
        """Go on with what another one knows of models that fail and of how long configurations take, where the model is the same."""
        removed_models = {name for name, model in other._models.items() if not _same(model, self._models.get(name))}
        self.breaker = other.breaker.without(removed_models)
        self._seconds = {each: seconds for each, seconds in list(other._seconds.items()) if each.model not in removed_models}

    def reasons(self, conversation: Conversation, limits: Budget, failed: Reasons) -> Reasons:
        """The configurations that cannot serve a request, or should not as long as another can, with the reason.

        Args:
            conversation: the request.
            limits: what it may cost.
            failed: what has failed at it already.
        """
        cannot = (
            {**self._never, **self._unable(conversation), **failed}
            if failed or not conversation.is_single_question
            else self._never
        )
        if conversation.samples_whole_answers:
            cannot = {**self._whole_duplicates, **cannot}
        for unwise in (
            self._cooling_down(),
            self._too_slow(limits),
            self._alike(conversation),
            self._too_long(conversation),
        ):
            if unwise and any(each not in unwise and each not in cannot for each in self._space):
                cannot = {**unwise, **cannot}
        return cannot

    def observe_seconds(self, configuration: Configuration, seconds: float) -> None:
        """Note how long a request took; the last ones count most."""
        now = time.monotonic()
        before, at = self._seconds.get(configuration, (seconds, now))
        if now - at > MEMORY_SECONDS:
            before = seconds
        self._seconds[configuration] = before + RECENT * (seconds - before), now

    def usual_seconds(self, configuration: Configuration) -> float | None:
        """How long requests have taken of late; `None` where there were none."""
        seconds, at = self._seconds.get(configuration, (0.0, -inf))
        return seconds if time.monotonic() - at <= MEMORY_SECONDS else None

    def patience(self, configuration: Configuration, seconds: float, conversation: Conversation, failed: Reasons) -> float | None:
        """Seconds to wait for a model that does not answer before another one is asked beside it; `None` where none is left.

        Half of the time that is left, and longer where the model usually takes longer and the others need less.

        Args:
            configuration: that was decided.
            seconds: that are left of the request's deadline.
            conversation: the request.
            failed: what has failed at it already.
        """
        cannot = {**self._never, **self._unable(conversation), **failed}
        others = [each for each in self._space if each.model != configuration.model and each not in cannot]
        if not others:
            return None
        usual = MARGIN * (self.usual_seconds(configuration) or 0.0)
        quickest = min(
            (MARGIN * taken for each in others if (taken := self.usual_seconds(each)) is not None), default=seconds / 4
        )
        return max(seconds / 2, min(usual, seconds - quickest))

    def anything(self, conversation: Conversation, failed: Reasons) -> bool:
        """Whether any configuration is left that could serve a request."""
        cannot = {**self._never, **self._unable(conversation), **failed}
        return any(each not in cannot for each in self._space)

    def _unable(self, conversation: Conversation) -> dict[Configuration, str]:
        """Which cannot take a conversation."""
        if conversation.is_single_question:
            return {}
        for by_description in (False, True):
            unable: dict[str, str] = {}
            for name, model in self._models.items():
                capabilities = capabilities_of(model)
                if capabilities is None:
                    unable[name] = f"{name} takes single questions only"
                    continue
                if by_description:
                    # Where none claims it, those that only a description denies it of are asked: they will refuse it themselves.
                    capabilities |= getattr(model, "doubted_capabilities", frozenset())
                if lacking := conversation.required_capabilities - capabilities:
                    unable[name] = f"{name} cannot do {', '.join(sorted(lacking))}"
            if len(unable) < len(self._models):
                break
        return {each: unable[each.model] for each in self._space if each.model in unable}

    def _alike(self, conversation: Conversation) -> dict[Configuration, str]:
        """Which would draw several samples where the call wants the most likely one, of which all samples would be copies."""
        if conversation.options.get("temperature") != 0:
            return {}
        return {each: "temperature=0 makes all its samples the same" for each in self._space if not each.plain}

    def _too_long(self, conversation: Conversation) -> dict[Configuration, str]:
        """Which have a model whose context the conversation does not fit into, as it is counted here; the provider counts for itself."""
        characters = sum(len(turn.text) for turn in conversation.turns)
        least = min((window for window, _ in self._windows.values()), default=0)
        if not self._windows or (conversation.is_single_question and MAX_BYTES * characters < least):
            return {}
        too_long = {}
        for name, (window, model_id) in self._windows.items():
            tokens = count_conversation(conversation, model_id)
            if tokens > window:
                too_long[name] = f"the conversation is about {tokens:.0f} tokens, and {name} reads {window}"
        return {each: too_long[each.model] for each in self._space if each.model in too_long}

    def _cooling_down(self) -> dict[Configuration, str]:
        """Which have a model that rests because it failed."""
        resting = self.breaker.models()
        if not resting:
            return {}
        why = {model: f"{model} failed {times} times in a row and rests" for model, times in resting.items()}
        return {each: why[each.model] for each in self._space if each.model in why}

    def too_dear(self, limits: Budget, costs: Array, eligible: Mask) -> dict[Configuration, str]:
        """Which configurations are expected to cost more than the request, or any one, may.

        Args:
            limits: of the request.
            costs: what each is expected to cost on it, in the unit of `limits`, shape (K,).
            eligible: which can serve it, shape (K,).
        """
        if limits.eflops is None and limits.usd is None and self.max_cost is None:
            return {}
        dear: dict[Configuration, str] = {}
        for configuration, cost in compress(zip(self._space, costs.tolist(), strict=True), eligible):
            limit = limited_by(self._models[configuration.model], self._hardware, limits)
            if limit is not None and cost > limit:
                dear[configuration] = f"it is expected to cost {cost:.3g}, more than the request's {limit:.3g}"
        beyond = {each: cost for each, cost in zip(self._space, costs.tolist(), strict=True) if cost > (self.max_cost or inf)}
        # A request's own limit leaves the cheapest, which the budget may cover after all; the engine's does not.
        left = {
            each: cost for each, cost in compress(zip(self._space, costs.tolist(), strict=True), eligible) if each not in beyond
        }
        if left and all(each in dear for each in left):
            dear = {each: reason for each, reason in dear.items() if left.get(each, inf) > min(left.values())}
        return dear | {
            each: f"it is expected to cost {cost:.3g}, more than max_cost={self.max_cost:.3g}" for each, cost in beyond.items()
        }

    def _too_slow(self, limits: Budget) -> dict[Configuration, str]:
        """Which have taken longer of late than a request may; what was never tried may be in time."""
        limit = limits.seconds
        if limit is None:
            return {}
        now = time.monotonic()
        return {
            each: f"it takes about {seconds:.3g} s of late, more than the request's {limit:.3g}"
            for each, (seconds, at) in list(self._seconds.items())
            if seconds > limit and now - at <= MEMORY_SECONDS
        }


def _shape(configuration: Configuration) -> str:
    return f"({','.join(map(str, configuration.shape))})"


def _same(model: Generator, other: Generator | None) -> bool:
    """Whether two are one model, perhaps at another price."""
    return other is model or (other is not None and getattr(other, "client", other) is getattr(model, "client", model))
