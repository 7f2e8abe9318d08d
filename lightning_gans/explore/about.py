"""What there is to ask an explored model for."""

from __future__ import annotations

from typing import Any

from lightning_gans.explore.session import Explorer
from lightning_gans.figures.conditions import class_names
from lightning_gans.figures.kinds import attributes
from lightning_gans.protocols import encodes


def about(explorer: Explorer) -> dict[str, Any]:
    """What a page shows and what it leaves out, in plain values: names of classes, attributes and codes, how far these go."""
    data = explorer.data
    words = {"labels": lambda: class_names(data), "attributes": lambda: list(data.attributes), "captions": list}
    codes = [
        {"name": name, "classes": len(code.values)}
        if code.is_category
        else {"name": name, "low": code.values[0].item(), "high": code.values[-1].item()}
        for name, code in explorer.codes.items()
    ]
    centres = getattr(data, "centres", None)
    return {
        "name": explorer.name,
        "samples": explorer.subject.kind_of_samples,
        "count": explorer.count,
        "points": explorer.points,
        "side": data.shape[-1],
        "extent": data.extent,
        "centres": [] if centres is None else centres.tolist(),
        "conditions": {name: words[name]() for name in explorer.kinds},
        "encodes": encodes(explorer.model),
        "codes": codes,
        "attributes": attributes.why_not(explorer.subject) is None,
    }
