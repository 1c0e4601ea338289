"""The ledger: nothing spent is lost, whatever became of it."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.cost import NOTHING, Charge, HardwareProfile, Ledger, Usage, profile
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.paths import Fate, Path, PathKey

H100 = profile("h100")

usages = st.builds(Usage, *[st.floats(0, 1e12)] * len(Usage._fields))
paths = st.lists(
    st.builds(Path, key=st.just(PathKey(0, ())), fate=st.sampled_from(Fate), usage=usages, verifier_usage=usages), max_size=25
)
charges = st.lists(st.builds(Charge, st.sampled_from(["generator", "verifier"]), st.sampled_from(["a", "b"]), usages), max_size=4)


def path(fate: Fate, usage: Usage, verifier_usage: Usage = NOTHING) -> Path:
    return Path(PathKey(0, (0,)), fate=fate, usage=usage, verifier_usage=verifier_usage)


def of(
    spenders: list[Path], prompts: list[Charge] | None = None, hardware: HardwareProfile = H100, seconds: float = 0.0
) -> Ledger:
    return Ledger.of(spenders, profile=hardware, generator="small", verifier="prm", prompts=prompts or [], seconds=seconds)


@given(paths, charges)
def test_totals_equal_the_sum_of_all_charges(spenders: list[Path], prompts: list[Charge]) -> None:
    ledger = of(spenders, prompts)
    spent = [p.usage for p in spenders] + [p.verifier_usage for p in spenders] + [c.usage for c in prompts]
    assert ledger.eflops == pytest.approx(sum(H100.eflops(usage) for usage in spent))
    assert ledger.usd == pytest.approx(sum(usage.usd for usage in spent))
    assert ledger.tokens == pytest.approx((sum(u.prompt_tokens for u in spent), sum(u.completion_tokens for u in spent)))


@given(paths, charges)
def test_every_breakdown_adds_up_to_the_whole(spenders: list[Path], prompts: list[Charge]) -> None:
    ledger = of(spenders, prompts)
    for groups in (ledger.by_role(), ledger.by_fate(), ledger.by_model()):
        assert sum(map(H100.eflops, groups.values())) == pytest.approx(ledger.eflops)
    assert 0 <= ledger.verifier_share <= 1


@given(paths, paths, charges)
def test_two_searches_add_up(first: list[Path], second: list[Path], prompts: list[Charge]) -> None:
    together = of(first + second, prompts, seconds=3.0)
    added = of(first, seconds=1.0).plus(of(second, prompts, seconds=2.0))
    assert added.usage == pytest.approx(together.usage)
    assert added.seconds == together.seconds
    assert added.by_fate().keys() == together.by_fate().keys()


def test_dropped_paths_are_charged_under_their_fate() -> None:
    ledger = of(
        [
            path(Fate.FINISHED, Usage(compute=5)),
            path(Fate.PRUNED, Usage(compute=2), Usage(compute=1)),
            path(Fate.PRUNED, Usage(compute=4)),
            path(Fate.FAILED, Usage(completion_tokens=3)),
        ],
        [Charge("generator", "small", Usage(compute=10))],
    )
    assert {fate: usage.compute for fate, usage in ledger.by_fate().items()} == {
        "finished": 5,
        "pruned": 7,
        "failed": 0,
        "prompt": 10,
    }


def test_many_paths_make_few_charges() -> None:
    ledger = of([path(Fate.OUTRANKED, Usage(compute=1), Usage(compute=2))] * 1000)
    assert [(charge.role, charge.usage.compute) for charge in ledger.charges] == [("generator", 1000), ("verifier", 2000)]


def test_verifier_share_is_of_eflops_and_of_dollars_where_there_are_none() -> None:
    assert of([path(Fate.FINISHED, Usage(compute=3, usd=1), Usage(compute=1, usd=9))]).verifier_share == 0.25
    assert of([path(Fate.FINISHED, Usage(usd=1), Usage(usd=9))]).verifier_share == 0.9
    assert of([]).verifier_share == 0


def test_dictionary_is_json_with_stable_keys() -> None:
    ledger = of([path(Fate.FINISHED, Usage(prompt_tokens=2.9999999, completion_tokens=7, compute=3e9, usd=0.5))], seconds=1.5)
    content = json.loads(json.dumps(ledger.as_dict(), allow_nan=False))
    entry = {"eflops": 3e9, "usd": 0.5, "prompt_tokens": 3, "completion_tokens": 7}
    nothing = {"eflops": 0.0, "usd": 0.0, "prompt_tokens": 0, "completion_tokens": 0}
    assert content == {
        "profile": "h100",
        "seconds": 1.5,
        **entry,
        "verifier_share": 0.0,
        "by_role": {"generator": entry, "verifier": nothing},
        "by_fate": {"finished": entry},
        "by_model": {"small": entry},
    }


def test_empty_ledger_is_zero() -> None:
    ledger = of([])
    assert (ledger.eflops, ledger.usd, ledger.tokens, ledger.by_fate()) == (0, 0, (0, 0), {})


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_poisoned_usage_is_refused_by_name_and_value(value: float) -> None:
    with pytest.raises(ConfigurationError, match=f"traffic charged to verifier 'prm'.*{value!r}"):
        of([path(Fate.FINISHED, Usage(compute=1), Usage(traffic=value))])
    with pytest.raises(ConfigurationError, match=f"usd charged to generator 'x'.*{value!r}"):
        Ledger((Charge("generator", "x", Usage(usd=value)),), H100)
    with pytest.raises(ConfigurationError, match=f"seconds.*{value!r}"):
        of([], seconds=value)


def test_unknown_role_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="generator, verifier, got 'judge'"):
        of([], [Charge("judge", "x", Usage(compute=1))])  # type: ignore[arg-type]


def test_ledgers_of_different_hardware_do_not_add() -> None:
    with pytest.raises(ConfigurationError, match="a100 to one of h100"):
        of([]).plus(of([], hardware=profile("a100")))
