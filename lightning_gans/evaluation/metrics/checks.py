"""What features must be, to be compared at all, and how many are compared at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from lightning_gans.errors import InputError

ELEMENTS = 2**25
"""Of one matrix of distances."""


def rows_at_once(points: Tensor) -> int:
    """Rows whose distances to all ``points`` ``(N, D)`` are one matrix of bounded size."""
    return max(1, ELEMENTS // len(points))


def checked_sets(real: Tensor, fake: Tensor, at_least: int) -> tuple[Tensor, Tensor]:
    """Features ``(N, D)`` and ``(M, D)`` in single precision or better, on the device of the generated ones.

    Raises:
        InputError: there are fewer than ``at_least``, they are not finite, or of different networks.
    """
    check_set(real, "features of real images", at_least)
    check_set(fake, "features of generated images", at_least)
    if real.shape[1] != fake.shape[1]:
        raise InputError(f"features of {real.shape[1]} and of {fake.shape[1]} dimensions cannot be compared; use one network")
    dtype = torch.promote_types(torch.promote_types(real.dtype, fake.dtype), torch.float32)
    return real.to(fake.device, dtype), fake.to(dtype)


def check_set(values: Tensor, what: str, at_least: int) -> None:
    """Refuse what is not ``(N, D)``, of too few samples, or not finite."""
    if values.dim() != 2:
        raise InputError(f"the {what} are {tuple(values.shape)}, not (N, D)")
    if len(values) < at_least:
        raise InputError(f"the {what} are of {len(values)}, and {at_least} or more are needed; raise num_samples")
    if not values.isfinite().all():
        raise InputError(f"some {what} are NaN or infinite; look at the images and the precision of the feature network")
