"""Settings for all tests: one thread per test process and for what it starts, no deadline for properties on a busy machine."""

from __future__ import annotations

import os

import torch
from hypothesis import settings

settings.register_profile("uniscale", deadline=None)
settings.load_profile("uniscale")
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")
