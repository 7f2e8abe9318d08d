"""In what the settings of runs differ, and where their numbers come from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightning_gans.report.reading import Run
from lightning_gans.report.results import Group
from lightning_gans.runs.hashing import settings_of
from lightning_gans.tables.estimate import duration
from lightning_gans.tables.table import flat

MISSING = "\N{EN DASH}"
_NETWORK_DEPTH = 3  # parts of the path of a setting of a network: model.generator.hidden


def differing(groups: Sequence[Group]) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """The settings that are not the same in all groups, by section; of each its path in that and a value a group."""
    known = [_by_path(group.runs[0].settings) for group in groups]
    sections: dict[str, list[tuple[str, list[str]]]] = {}
    for path in dict.fromkeys(path for settings in known for path in settings):
        values = [_text(settings[path]) if path in settings else MISSING for settings in known]
        if len(set(values)) > 1:
            parts = path.split(".")
            section = ".".join(parts[:2]) if len(parts) >= _NETWORK_DEPTH else parts[0]
            sections.setdefault(section, []).append((path.removeprefix(f"{section}."), values))
    return list(sections.items())


def _by_path(settings: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path, value in _flat(settings_of(settings)):
        if value != {} or path not in found:  # a class that is given nothing has its name there
            found[path] = value
    return found


def _flat(settings: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by their paths; those in lists by their numbers, too."""
    for name, value in flat(settings, path):
        if isinstance(value, list) and any(isinstance(one, Mapping) for one in value):
            for number, one in enumerate(value):
                yield from _flat(one, f"{name}[{number}]")
        else:
            yield name, value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def ended(run: Run) -> str:
    """How a run has come to its end."""
    return {
        "finished": "finished",
        "stopped": "stopped by hand or signal",
        "failed": "failed",
        "running": "not ended, or killed",
    }.get(str(run.state.get("status")), "does not say")


def took(run: Run) -> str:
    """How long it trained."""
    return MISSING if run.seconds is None else duration(run.seconds)


def device(run: Run) -> str:
    """What it trained on, empty where it does not say."""
    return str(run.state.get("device") or run.last_record.get("device") or "")


def origin(run: Run) -> list[tuple[str, str]]:
    """What the numbers of a run depend on, as names and words; what it does not say is left out."""
    record, state = run.last_record, run.state
    code = _mapping(state.get("code"))
    commit = code.get("commit")
    revision = f"{commit}{', changed since' if code.get('dirty') else ''}" if commit else "no git checkout" if code else None
    before = [one.shown for one in run.way[:-1]]
    planned = state.get("steps_planned")
    said: dict[str, Any] = {
        "folder": run.shown,
        "goes on from": ", ".join(before) or state.get("went_on_from"),
        "runs again by": f"lightning fit --config {run.folder / 'config.yaml'}" if run.settings else None,
        "config": run.config if run.settings else None,
        "git revision": revision,
        "versions": _list(_mapping(record.get("versions") or state.get("versions"))),
        "device": ", ".join(filter(None, [device(run), *_width(state)])),
        "seed": run.seed,
        "steps": f"{run.steps:,}" + (f" of {planned:,}" if isinstance(planned, int) else ""),
        "parameters": _list(_mapping(state.get("parameters"))),
        "measured at": f"step {record['step']:,}" if record else None,
        "samples measured": _count(record.get("num_samples")),
        "real samples": _count(record.get("n_real"), record.get("split")),
        "counting rule": record.get("protocol"),
        "features": _network(record.get("features"), record.get("sha256"), record.get("layer")),
        "classifier": _network(record.get("classifier"), record.get("classifier_sha256")),
        "weights": record.get("weights"),
        "seed of the noise": record.get("noise_seed"),
    }
    return [(name, str(value)) for name, value in said.items() if value not in (None, "")]


def _width(state: Mapping[str, Any]) -> Iterator[str]:
    """Devices, threads and precision."""
    if isinstance(devices := state.get("devices"), int) and devices > 1:
        yield f"{devices} devices"
    if isinstance(threads := state.get("threads"), int):
        yield f"{threads} thread{'s' if threads > 1 else ''}"
    yield str(state.get("precision") or "")


def _network(name: Any, sha256: Any, layer: Any = None) -> str | None:
    return None if name is None else f"{name}{f', {layer}' if layer else ''}{f', SHA-256 {sha256}' if sha256 else ''}"


def _count(number: Any, of: Any = None) -> str | None:
    return f"{number:,}{f' of {of}' if of else ''}" if isinstance(number, int) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(named: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in named.items())
