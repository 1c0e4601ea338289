"""The errors of this package. Each message says what was wrong, with which value, and what to do."""

from __future__ import annotations

from uniscale_integrations.deprecation import former_attribute, former_keywords, former_names


class UniScaleError(Exception):
    """Root of every error that this package raises on purpose."""


class ConfigurationError(UniScaleError, ValueError):
    """A configuration, setting or question that cannot be run."""


class UnknownModelError(UniScaleError, LookupError):
    """A model name that matches nothing; the message lists what is available."""


class ContextLengthError(ConfigurationError):
    """A question longer than the model's context; the message says by how many tokens."""


class BudgetError(UniScaleError):
    """A budget that does not cover even the first step of one sample."""


class NoAnswerInTime(BudgetError):
    """A deadline that passed before a model had said anything; the message names the model, and how long it was waited for."""


class CrowdedError(BudgetError):
    """A deadline that passed while requests waited for others to end; the message says how many may run at once."""


class GenerationError(UniScaleError):
    """A generator that failed or returned nothing usable."""


class ContinuationError(GenerationError):
    """A model that began anew instead of going on with a partial answer; it is not asked to go on again."""


class VerifierError(UniScaleError):
    """A verifier that failed, or gave a score that is not a number in [0, 1]."""


class NotInTime(VerifierError):
    """What a text holds could not be computed in the time and memory that one text may take."""


class WorkersBusy(NotInTime):
    """There was no process to compute it in; another time there may be one."""


@former_keywords(spent="usage")
class SearchFailed(UniScaleError):
    """Every candidate failed.

    Attributes:
        causes: what each of them said.
        errors: the exceptions behind that, where the generator kept them.
        usage: what it cost all the same, eFLOPs and dollars.
    """

    def __init__(
        self,
        message: str,
        causes: tuple[str, ...] = (),
        errors: tuple[BaseException, ...] = (),
        usage: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        super().__init__(message)
        self.causes, self.errors, self.usage = causes, errors, usage

    spent = former_attribute("usage")


class RequestRefused(SearchFailed):
    """A provider refused the request itself, as it would from anybody: no other candidate is sent, and no other model asked."""


class CalibrationError(UniScaleError):
    """A hardware profile that cannot be measured, read or used."""


class TableError(UniScaleError, ValueError):
    """An outcome table that cannot be read, or whose rows do not fit together; the message names file and query."""


class StateError(UniScaleError, ValueError):
    """A learned state that cannot be loaded or has become unsound; the message names the array and the row."""


class LogError(UniScaleError):
    """A log that cannot be opened, read or written; the message says what was lost, if anything.

    Attributes:
        passing: whether it may go another time, since the fault is with the log's disk, server or lock and not with what was to be written.
    """

    passing = False


class OutdatedLog(LogError):
    """A log of an earlier version that has to be brought up to date by somebody who may write it, before it can be read."""


class LostBeginning(LogError):
    """A log no longer has the events that its states began with, so that nothing can be taken out of what they have learned."""


class UnknownDecisionError(LogError, LookupError):
    """Feedback for a decision that the log does not hold."""


def no_decision(decision_id: str, log: str) -> UnknownDecisionError:
    """That a log, by its name, holds no such decision."""
    return UnknownDecisionError(f"the log has no decision {decision_id!r}; give the id of a decision that was logged to {log}")


class MissingExtraError(UniScaleError, ImportError):
    """An optional dependency is not installed; the message holds the pip command."""

    def __init__(self, feature: str, extra: str, beside: str = "") -> None:
        requirement = f'"uniscale-integrations[{extra}]"'
        super().__init__(
            f"{feature} needs an optional dependency: pip install {f'{requirement} {beside}' if beside else requirement}"
        )
        self.extra = extra


__getattr__ = former_names(__name__, {"Crowded": "WorkersBusy"})
