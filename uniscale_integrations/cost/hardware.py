"""Hardware profiles: what turns operations and bytes into one number, eFLOPs."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import cast

from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.errors import CalibrationError


@dataclass(frozen=True, slots=True)
class HardwareProfile:
    """The hardware that a model is charged for.

    Attributes:
        name: how reports call it.
        peak_flops: FLOP/s that matrix products reach.
        bandwidth: bytes/s between memory and processor.
        serving_batch: sequences that share one read of the weights on a busy server; `None` where this process runs the model
            itself, so that its own batches count.
        layer_seconds: fixed time to launch one layer of one pass, in seconds. It dominates tiny models on a CPU, and counts only
            without a serving batch.

    Raises:
        CalibrationError: a value that no hardware can have; the message names it.

    Example:
        >>> h100 = profile("h100")
        >>> round(h100.intensity, 1)
        295.2
        >>> h100.eflops(Usage(compute=1e12, traffic=1e6, weights=3e9, weights_alone=64e6)) == 1e12 + h100.intensity * 2e6
        True
    """

    name: str
    peak_flops: float
    bandwidth: float
    serving_batch: int | None = None
    layer_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise CalibrationError(f"a hardware profile needs a name, got {self.name!r}")
        for field, unit in (("peak_flops", "FLOP/s"), ("bandwidth", "bytes/s")):
            value = getattr(self, field)
            if not (_is_number(value) and value > 0):
                raise CalibrationError(
                    f"{field} of profile {self.name!r} must be a finite number of {unit} above 0, got {value!r}"
                )
        if not (_is_number(self.layer_seconds) and self.layer_seconds >= 0):
            raise CalibrationError(
                f"layer_seconds of profile {self.name!r} must be a finite number, at least 0, got {self.layer_seconds!r}"
            )
        batch = self.serving_batch
        if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
            raise CalibrationError(
                f"serving_batch of profile {self.name!r} must be a whole number of at least 1, or null for this process' own "
                f"batches, got {batch!r}"
            )

    @property
    def intensity(self) -> float:
        """Arithmetic intensity `I`: FLOPs that could be done in the time one byte takes to move."""
        return self.peak_flops / self.bandwidth

    def eflops(self, usage: Usage) -> float:
        """Equivalent FLOPs, `C_comp + I * C_mem` (Kinetics, arXiv 2506.05333; UniScale, arXiv 2605.30898).

        `C_mem` is the key-value traffic plus the weights. With a serving batch this is what a busy server would spend: every
        candidate computed by itself, and of each read of the weights one sequence's part. Without one it is what this process did:
        what candidates share is counted once, the weights once a pass, and each layer's launch adds the FLOPs that its time could
        have held. It is linear in the usage, so parts sum to the whole.

        Returns:
            FLOPs, 0 for models that are only known by their price.

        Example:
            >>> laptop = HardwareProfile("laptop", peak_flops=1e11, bandwidth=1e10, layer_seconds=1e-4)
            >>> laptop.eflops(Usage(compute=1e6, weights=1e5, weights_alone=8e5, passes=5))
            52000000.0
        """
        if self.serving_batch is None:
            launch = self.layer_seconds * self.peak_flops * usage.passes
            traffic = usage.traffic - usage.traffic_saved + usage.weights
            return usage.compute - usage.compute_saved + self.intensity * traffic + launch
        return usage.compute + self.intensity * (usage.traffic + usage.weights_alone / self.serving_batch)

    def save(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write the profile as JSON, by default to where `profile("local")` finds it.

        Returns:
            The file written. Its folder is created, and a reader never sees half a file.
        """
        target = calibration_path() if path is None else Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        try:
            partial.replace(target)
        except OSError:
            partial.unlink()
            raise
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> HardwareProfile:
        """Read a profile from JSON.

        Raises:
            CalibrationError: a file that cannot be read or is not a profile; the message names the file and what is wrong in it.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise CalibrationError(f"cannot read a hardware profile from {os.fspath(path)}: {error}") from error
        if not isinstance(content, dict):
            raise CalibrationError(f"{os.fspath(path)} must hold one JSON object, got {type(content).__name__}")
        names = [field.name for field in fields(cls)]
        missing = [name for name in ("name", "peak_flops", "bandwidth") if name not in content]
        extra = sorted(set(content) - set(names))
        if missing or extra:
            problem = f"lacks {', '.join(missing)}" if missing else f"has unknown {', '.join(extra)}"
            raise CalibrationError(f"{os.fspath(path)} {problem}; a hardware profile has {', '.join(names)}")
        try:
            return cls(**content)
        except (CalibrationError, OverflowError) as error:
            raise CalibrationError(f"{os.fspath(path)}: {error}") from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(cast(float, value))


H100 = HardwareProfile("h100", peak_flops=989e12, bandwidth=3.35e12, serving_batch=64)
"""NVIDIA H100 SXM: dense bfloat16 and HBM3, by its data sheet."""

A100 = HardwareProfile("a100", peak_flops=312e12, bandwidth=2.04e12, serving_batch=64)
"""NVIDIA A100 SXM 80 GB: dense bfloat16 and HBM2e, by its data sheet."""

CPU = HardwareProfile("cpu", peak_flops=1e11, bandwidth=2e10, layer_seconds=3e-4)
"""A few cores of a common CPU in float32, to the order of magnitude; `uniscale calibrate` measures the one at hand."""

PROFILES: dict[str, HardwareProfile] = {hardware.name: hardware for hardware in (H100, A100, CPU)}
"""Built-in profiles by name."""


def home() -> Path:
    """The folder for what this package keeps on a machine: `$UNISCALE_HOME`, else `~/.cache/uniscale`."""
    folder = os.environ.get("UNISCALE_HOME")
    return Path(folder) if folder else Path.home() / ".cache" / "uniscale"


def calibration_path() -> Path:
    """The file of this machine's saved calibration."""
    return home() / "calibration.json"


def profile(name_or_path: str | os.PathLike[str] = "h100") -> HardwareProfile:
    """Find a profile: a built-in name, "local" for this machine's saved calibration, or the path of a JSON file.

    Raises:
        CalibrationError: nothing of that name; the message lists what there is.

    Example:
        >>> profile("a100").serving_batch
        64
        >>> profile("tpu")
        Traceback (most recent call last):
        uniscale_integrations.errors.CalibrationError: no hardware profile 'tpu'; give h100, a100, cpu, local or a JSON file
    """
    name = os.fspath(name_or_path)
    if name.lower() in PROFILES:
        return PROFILES[name.lower()]
    if name.lower() == "local":
        path = calibration_path()
        if not path.is_file():
            raise CalibrationError(f"this machine is not calibrated, {path} does not exist; run `uniscale calibrate` first")
        return HardwareProfile.load(path)
    if Path(name).suffix == ".json" or Path(name).is_file():
        return HardwareProfile.load(name)
    raise CalibrationError(f"no hardware profile {name!r}; give {', '.join(PROFILES)}, local or a JSON file")
