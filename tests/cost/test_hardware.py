"""Hardware profiles: the eFLOPs formula, where profiles are found, and what a file may not hold."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.cost import PROFILES, HardwareProfile, Usage, calibration_path, profile
from uniscale_integrations.errors import CalibrationError

SERVER = HardwareProfile("server", peak_flops=1e12, bandwidth=1e10, serving_batch=16)
LAPTOP = HardwareProfile("laptop", peak_flops=1e11, bandwidth=1e10, layer_seconds=1e-4)

amounts = st.floats(0, 1e15)
usages = st.builds(Usage, *[amounts] * 10)
positive = st.floats(1e-3, 1e18)
profiles = st.builds(
    HardwareProfile,
    name=st.text(st.characters(codec="utf-8"), min_size=1),
    peak_flops=positive,
    bandwidth=positive,
    serving_batch=st.none() | st.integers(1, 1000),
    layer_seconds=st.floats(0, 1),
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNISCALE_HOME", str(tmp_path / "kept"))
    return tmp_path / "kept"


def test_h100_is_the_default_with_its_data_sheet_intensity() -> None:
    assert profile() is PROFILES["h100"]
    assert profile("H100").intensity == pytest.approx(295.2, abs=0.1)
    assert profile("a100").intensity == pytest.approx(152.9, abs=0.1)


def test_server_charges_a_share_of_the_weights_and_no_launches() -> None:
    usage = Usage(compute=5.0, traffic=7.0, weights=1e9, weights_alone=160.0, passes=1000)
    assert SERVER.eflops(usage) == 5 + 100 * (7 + 10)


def test_own_process_charges_what_its_passes_read_and_their_launches() -> None:
    usage = Usage(compute=5.0, traffic=7.0, weights=3.0, weights_alone=1e9, passes=2)
    assert LAPTOP.eflops(usage) == pytest.approx(5 + 10 * (7 + 3) + 2 * 1e-4 * 1e11)


@given(usages, usages, st.sampled_from([SERVER, LAPTOP]))
def test_eflops_are_linear_in_usage(one: Usage, other: Usage, hardware: HardwareProfile) -> None:
    assert hardware.eflops(one.plus(other)) == pytest.approx(hardware.eflops(one) + hardware.eflops(other))


def test_price_and_tokens_alone_are_no_eflops() -> None:
    assert SERVER.eflops(Usage(prompt_tokens=1000, completion_tokens=50, usd=0.2)) == 0


@given(profiles)
def test_profile_survives_its_file(tmp_path_factory: pytest.TempPathFactory, kept: HardwareProfile) -> None:
    path = kept.save(tmp_path_factory.mktemp("profiles") / "deeper" / "profile.json")
    assert profile(path) == HardwareProfile.load(path) == kept
    assert [file.name for file in path.parent.iterdir()] == ["profile.json"]


def test_local_is_the_saved_calibration(home: Path) -> None:
    with pytest.raises(CalibrationError, match="run `uniscale calibrate`"):
        profile("local")
    assert LAPTOP.save() == calibration_path() == home / "calibration.json"
    assert profile("local") == LAPTOP


def test_calibration_lies_in_the_user_cache_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNISCALE_HOME", raising=False)
    assert calibration_path() == Path.home() / ".cache" / "uniscale" / "calibration.json"


def test_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(CalibrationError, match="'tpu'; give h100, a100, cpu, local or a JSON file"):
        profile("tpu")


@pytest.mark.parametrize("field", ["peak_flops", "bandwidth"])
@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, True, "fast", None])
def test_impossible_speeds_are_refused_by_name_and_value(field: str, value: object) -> None:
    held: dict[str, object] = {"name": "odd", "peak_flops": 1e12, "bandwidth": 1e10, field: value}
    with pytest.raises(CalibrationError, match=f"{field} of profile 'odd'.*{value!r}"):
        HardwareProfile(**held)  # type: ignore[arg-type]


@pytest.mark.parametrize(("field", "value"), [("layer_seconds", -1e-9), ("layer_seconds", math.nan), ("serving_batch", 0)])
def test_impossible_batches_and_launch_times_are_refused_by_name_and_value(field: str, value: float) -> None:
    held: dict[str, object] = {"name": "odd", "peak_flops": 1e12, "bandwidth": 1e10, field: value}
    with pytest.raises(CalibrationError, match=f"{field} of profile 'odd'.*{value!r}"):
        HardwareProfile(**held)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot read a hardware profile"),
        ("[" * 100_000, "cannot read a hardware profile"),
        ("[]", "one JSON object, got list"),
        ('{"name": "x", "bandwidth": 1}', "lacks peak_flops"),
        ('{"name": "x", "peak_flops": 1, "bandwidth": 1, "peek": 2}', "unknown peek"),
        ('{"name": "x", "peak_flops": NaN, "bandwidth": 1}', "peak_flops of profile 'x'.*nan"),
        ('{"name": "x", "peak_flops": 1, "bandwidth": -2}', "bandwidth of profile 'x'.*-2"),
        ('{"name": "", "peak_flops": 1, "bandwidth": 1}', "needs a name"),
    ],
)
def test_broken_files_are_refused_with_file_and_cause(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(content)
    with pytest.raises(CalibrationError, match=message) as refused:
        profile(path)
    assert "mine.json" in str(refused.value)


def test_missing_file_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"nowhere\.json"):
        profile(tmp_path / "nowhere.json")


def test_file_holds_plain_json(tmp_path: Path) -> None:
    content = json.loads(SERVER.save(tmp_path / "server.json").read_text())
    assert content == {"name": "server", "peak_flops": 1e12, "bandwidth": 1e10, "serving_batch": 16, "layer_seconds": 0.0}


def test_a_profile_that_cannot_be_put_where_it_is_wanted_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        profile("h100").save(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_numbers_too_large_to_be_numbers_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "huge.json").write_text('{"name": "huge", "peak_flops": 1' + "0" * 400 + ', "bandwidth": 1e9}')
    with pytest.raises(CalibrationError, match=r"huge\.json"):
        HardwareProfile.load(tmp_path / "huge.json")
