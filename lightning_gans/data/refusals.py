"""Settings of the data that cannot be, said before anything is opened."""

from __future__ import annotations

from collections.abc import Collection

from lightning_gans import checks
from lightning_gans.data.description import CONDITIONS, ConditionName
from lightning_gans.data.pixels import Crop
from lightning_gans.errors import InputError


def check_condition(condition: ConditionName | list[ConditionName] | None) -> None:
    """Refuse what names no condition, or one of them twice."""
    for wanted in condition if isinstance(condition, list) else [condition]:
        checks.one_of("data.condition", wanted, CONDITIONS if isinstance(condition, list) else (None, *CONDITIONS))
    if isinstance(condition, list) and len({*condition}) != max(1, len(condition)):
        raise InputError(f"data.condition is {condition}, but must name at least one, and none of them twice")


def check_sizes(crop: Crop, image_size: int | None, random_crop: int | None, batch_size: int, **others: int | None) -> None:
    """Refuse numbers below 1, batches that no memory holds, and squares that cannot be cut out."""
    if isinstance(crop, str) and crop != "resize":
        raise InputError(f"data.crop is {crop!r}, but must be a number of pixels or resize")
    sizes = {"batch_size": batch_size, "image_size": image_size, "random_crop": random_crop, **others}
    for name, value in {**sizes, "crop": None if isinstance(crop, str) else crop}.items():
        if value is not None and value < 1:
            raise InputError(f"data.{name} is {value}, but must be at least 1")
    if random_crop is not None and image_size is None:
        raise InputError(f"data.random_crop is {random_crop}, but of what is cut out no size is given; set data.image_size")
    if random_crop is not None and image_size is not None and random_crop < image_size:
        raise InputError(
            f"data.random_crop is {random_crop}, but squares of data.image_size {image_size} are cut out of it; raise it"
        )
    if side := random_crop or image_size:
        checks.fits_memory(f"a batch of {batch_size:,} images of {side:,} pixels a side", batch_size * 12 * side**2)


def check_captions(captions_per_image: int, conditions: Collection[str], name: str) -> None:
    """Refuse several captions an image where none travel with a dataset's."""
    if captions_per_image > 1 and "captions" not in conditions:
        raise InputError(
            f"data.captions_per_image is {captions_per_image}, but no captions travel with {name}; leave it out, or set "
            "data.condition to captions"
        )
