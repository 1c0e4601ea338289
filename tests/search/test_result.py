"""What a search found: the vote, the best path, and the stand-in where nothing finished."""

from __future__ import annotations

from uniscale_integrations.search.paths import Fate, Path, PathKey
from uniscale_integrations.search.result import conclude, precedence


def path(tree: int, text: str, value: float | None, fate: Fate = Fate.FINISHED, lineage: tuple[int, ...] = (0,)) -> Path:
    scores = None if value is None else (value,) * len(lineage)
    return Path(PathKey(tree, lineage), (text,) + ("",) * (len(lineage) - 1), scores, value, fate=fate)


def test_the_best_value_comes_first_then_the_earlier_key_then_what_has_no_value() -> None:
    paths = [path(2, "d", None), path(1, "b", 0.5), path(0, "e", 0.4), path(1, "a", 0.9), path(0, "c", 0.5, lineage=(1,))]
    assert [p.text for p in sorted(paths, key=precedence)] == ["a", "c", "b", "e", "d"]


def test_trees_that_agree_outvote_the_best_path() -> None:
    result = conclude([path(0, "Answer: 4", 0.5), path(1, "Answer: 5", 0.75), path(2, "So it is 4", 0.4)], "", [])
    assert result is not None
    assert (result.answer, result.text, result.score) == ("4", "Answer: 4", 0.5)
    assert (result.best.text, result.best.value) == ("Answer: 5", 0.75)


def test_each_tree_has_one_vote_for_its_best_path() -> None:
    crowd = [path(0, f"{'so ' * n}4", 0.5, lineage=(n,)) for n in range(5)]
    result = conclude([*crowd, path(0, "5", 0.75, lineage=(9,)), path(1, "6", 0.7)], "", [])
    assert result is not None
    assert result.answer == "5"


def test_stopped_paths_do_not_vote() -> None:
    others = [path(1, "4", 0.75, fate) for fate in Fate if fate is not Fate.FINISHED]
    result = conclude([path(0, "5", 0.5), *others], "", [])
    assert result is not None
    assert result.winner is result.best
    assert result.answer == "5"


def test_where_nothing_finished_the_deepest_best_path_stands_in_and_is_marked() -> None:
    paths = [
        path(0, "a", 0.9, Fate.EXPANDED),
        path(0, "b", 0.5, Fate.TRUNCATED, (0, 0)),
        path(0, "c", 0.6, Fate.CANCELLED, (0, 1)),
        path(0, "d", 1.0, Fate.FAILED, (0, 2)),
    ]
    result = conclude(paths, "", ["noted"])
    assert result is not None
    assert (result.text, result.stop_reason, result.notes) == ("c", "no path finished", ("noted",))
    cut = conclude(paths, "deadline", [])
    assert cut is not None
    assert cut.stop_reason == "deadline"


def test_without_a_single_step_there_is_no_result() -> None:
    assert conclude([], "", []) is None
    assert conclude([Path(PathKey(0, ()), fate=Fate.CANCELLED), path(0, "x", None, Fate.FAILED)], "", []) is None
