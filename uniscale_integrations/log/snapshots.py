"""The snapshots of a log that a fold may begin at, by what tells the states of folds apart."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from io import BytesIO
from zipfile import BadZipFile

import numpy as np

from uniscale_integrations.duplicate_arms import DuplicateArms
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.transfer import key

VERSION = 10
"""Of how events become state; another one reads no snapshots of this one."""

VERSION_IN_PARTS = 11
"""Of states that keep what is learned of many models in parts, which packages that know only `VERSION` cannot read."""

BEFORE = (6, 7, 8, 9)
"""Versions of which snapshots are read where there is none of this one and the log does not tell all of it: up to 7 they learned of
judgements in the order in which those had come, and not in that in which they were given, and up to 9 they counted a judgement again when
it came to weigh more."""

ARMS = "arms.configurations"
"""The configurations that a policy learns of, in the state of those that name them."""


@dataclass(frozen=True, slots=True)
class FoldIdentity:
    """What tells the states of a fold from those of others.

    Attributes:
        policy: its name, with its settings.
        rules: of feedback, as they are recorded.
        arms: what it chooses from.
        duplicates: configurations that run the same search.
        epoch: how often events have gone from the log with what they had taught: states of before hold some of that, and somebody may
            still write one.
    """

    policy: str
    rules: object
    arms: Arms
    duplicates: DuplicateArms
    epoch: int = 0

    def kind(self, version: int = VERSION) -> str:
        """What states have in common that can be converted into each other.

        Neither the configurations nor their prices are part of it, for what was learned of some is converted for others.
        """
        identity: list[object] = [version, self.policy, self.arms.scored, self.rules]
        if self.epoch:
            identity.append(self.epoch)
        return _digest(identity)

    def name(self, version: int = VERSION) -> str:
        """The kind, and what it was folded for: two engines of one log that choose from other configurations keep a state each."""
        identity: list[object] = [[key(each) for each in self.arms.configurations], self.arms.schema.names]
        if self.duplicates.models:
            identity.append(self.duplicates.record())
        return f"{self.kind(version)}-{_digest(identity)}"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its snapshots, whose states are whole or in parts, and of those of versions before."""
        return tuple(map(self.name, (VERSION, VERSION_IN_PARTS, *BEFORE)))

    @property
    def was_handed_on(self) -> bool:
        """Whether what was learned of one model went to another, of which no log tells."""
        return any(heir in self.arms.models for heir, _ in self.arms.successors)


class Snapshots:
    """The snapshots in a log that are of use to a fold.

    Args:
        log: holds them.
        identity: of the fold.
    """

    def __init__(self, log: EventStore, identity: FoldIdentity) -> None:
        self._log, self._identity = log, identity

    def last(self) -> str | None:
        """The name of the last one of this fold, in either form; of another of its kind where the log has lost its beginning."""
        own = self.own()
        if own or self._log.complete:
            return own[0] if own else None
        others = self._of_kind()
        return max(others, key=self._share_known, default=None) if len(others) > 1 else next(iter(others), None)

    def own(self) -> list[str]:
        """Names of those of this very fold."""
        names = self._identity.names
        return [name for name in self._of_kind() if name in names]

    def _of_kind(self) -> list[str]:
        """Names of those of its kind, the latest first, without those that lack what events had taught that are gone."""
        names = self._stored((VERSION, VERSION_IN_PARTS))
        return names if names or (self._log.complete and not self._identity.was_handed_on) else self._stored(BEFORE)

    def _stored(self, versions: Iterable[int]) -> list[str]:
        stored = [each for version in versions for each in self._log.snapshots_of(f"{self._identity.kind(version)}-")]
        pruned = self._log.retention.pruned
        return [name for name, place in sorted(stored, key=lambda each: each[1], reverse=True) if place >= pruned]

    def _share_known(self, name: str) -> int:
        """How many of this fold's configurations another one had, as far as its snapshot tells."""
        stored = self._log.load_snapshot(name)
        try:
            with np.load(BytesIO(stored[1] if stored else b""), allow_pickle=False) as arrays:
                had = {str(each) for each in arrays[ARMS]} if ARMS in arrays else set()
        except (EOFError, OSError, ValueError, BadZipFile, zlib.error):
            return -1
        return sum(key(each) in had for each in self._identity.arms.configurations)


def _digest(identity: list[object]) -> str:
    return blake2b(json.dumps(identity).encode(), digest_size=12).hexdigest()
