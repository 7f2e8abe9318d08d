"""The model card of an export: what others have to know, with front matter for a hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from lightning_gans import __version__
from lightning_gans.export.about import About, measures
from lightning_gans.export.folder import AVERAGED, EXAMPLE, LICENCE, ONNX, SAMPLES, WEIGHTS

_LICENCE = "mit"
_LIBRARY = "lightning-gans"


def card(about: About) -> str:
    """The text of ``README.md``: front matter in YAML, then Markdown."""
    front = yaml.safe_dump(_front(about), sort_keys=False, allow_unicode=True, width=1000)
    sections = [
        f"# {about.name} on {about.dataset}",
        f"{about.name}, step {about.step:,}, makes {about.samples_are}{_under(about)}. Paper: {about.paper}.",
        f"![Samples]({SAMPLES})",
        f"## Use\n\n{_use(about)}",
        f"## Results\n\n{_results(about)}",
        f"## How it was trained\n\n{_trained(about)}",
        f"## What it is for, and what it is not\n\n{_limits(about)}",
        f"## Licence\n\n{_licence(about)}",
        f"## Please cite\n\n{about.paper}.\n\nThe suite: {_LIBRARY} {__version__}.",
    ]
    return f"---\n{front}---\n\n" + "\n\n".join(sections) + "\n"


def _front(about: About) -> dict[str, Any]:
    """What Hugging Face reads."""
    kind = "text-to-image" if "captions" in about.given else "unconditional-image-generation"
    results = [result for record in about.records for result in _index(about, record, kind)]
    names = list(dict.fromkeys(result["metrics"][0]["type"] for result in results))
    return {
        "license": _LICENCE,
        "library_name": _LIBRARY,
        **({} if about.points else {"pipeline_tag": kind}),
        "tags": [_LIBRARY, "pytorch", "gan", about.name.lower()],
        **({} if about.source is None else {"datasets": [about.dataset]}),
        **({"metrics": names} if names else {}),
        **({"model-index": [{"name": f"{about.name} on {about.dataset}", "results": results}]} if results else {}),
    }


def _index(about: About, record: Mapping[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    """A measurement as an entry each of a model index."""
    split = str(record.get("split", "test"))
    for name, value in measures(record).items():
        data = {"name": about.dataset, "type": about.dataset.replace(" ", "-"), "split": split}
        metric = {"type": name, "value": value, "name": f"{name} ({_how(record)})"}
        yield {"task": {"type": kind}, "dataset": data, "metrics": [metric]}


def _how(record: Mapping[str, Any]) -> str:
    """What a number depends on, in words."""
    real = f" and {record['n_real']:,} real ones ({record.get('split', 'test')})" if record.get("n_real") else ""
    parts = [
        f"n = {record['num_samples']:,} samples{real}" if "num_samples" in record else "",
        f"features {record['features']}" if record.get("features") else "",
        f"training seed {record['seed']}" if "seed" in record else "",
        f"noise seed {record['noise_seed']}" if "noise_seed" in record else "",
        f"{record['weights']} weights" if record.get("weights") else "",
    ]
    return ", ".join(filter(None, parts))


def _results(about: About) -> str:
    if not about.records:
        return "Nothing was measured of these very weights; `lightning test --ckpt_path` measures a checkpoint."
    rows = [
        f"| {name} | {value:.4g} | {_how(record)} |" for record in about.records for name, value in measures(record).items()
    ]
    table = "\n".join(["| measure | value | how |", "|---|---|---|", *rows])
    return f"{table}\n\nOf one training run: no interval is known. Numbers compare only where all of the last column is equal."


def _use(about: About) -> str:
    average = f' `{AVERAGED}` has averaged weights: `load_exported(folder, weights="ema")`.' if about.averaged else ""
    lines = [
        "    pip install lightning-gans",
        f"    python {EXAMPLE}",
        "",
        "`lightning_gans.load_exported(folder)` gives the model in evaluation mode; nothing is unpickled. "
        f"`{WEIGHTS}` has all of its networks.{average}",
        "",
        f"Latents have {about.model.prior.dim} numbers and come from `{about.model.prior!r}`.",
    ]
    if about.onnx:
        given = "" if not about.given else f" and {'the numbers of texts' if 'captions' in about.given else about.given}"
        lines += [
            "",
            f"`{ONNX}` is the generator alone: latents{given} to {about.samples_are}{'' if about.points else ' in [-1, 1]'}, "
            "any number of rows. The prior that draws the latents, encoders and judges are not in it.",
        ]
    return "\n".join(lines)


def _trained(about: About) -> str:
    run, data, model = about.run, about.config.get("data") or {}, about.config.get("model") or {}
    code = run.get("code", {})
    commit = f", git {code['commit'][:12]}{' with changes' if code.get('dirty') else ''}" if code.get("commit") else ""
    versions = ", ".join(f"{name} {version}" for name, version in run.get("versions", {}).items())
    where = f"{run['devices']} x {run['device']}, {run['precision']}" if "device" in run else ""
    partial = {key: data[key] for key in ("image_size", "crop", "condition", "labelled") if data.get(key) is not None}
    facts = {
        "steps": f"{about.step:,} batches of {data.get('batch_size', '?')}",
        "seed": about.config.get("seed_everything"),
        "data": f"{about.dataset}{''.join(f', {key} {value}' for key, value in partial.items())}",
        "model": model.get("class_path"),
        "parameters": ", ".join(f"{name} {count:,}" for name, count in run.get("parameters", {}).items()),
        "on": where,
        "went on from another run": "yes" if run.get("went_on_from") else "",
        "versions": f"{versions}{commit}",
    }
    rows = [f"- {name}: {fact}" for name, fact in facts.items() if fact not in (None, "")]
    return "\n".join([*rows, "", "Every setting is in `config.yaml`; `lightning fit --config config.yaml` trains it again."])


def _limits(about: About) -> str:
    return (
        "For research and teaching: comparing models on one footing, looking at latents, and as a start for others. It makes "
        f"{about.samples_are} like those of {about.dataset} and nothing else, with whatever is lopsided or wrong in these. "
        "Samples may resemble training samples; that none is a copy was not shown (`lightning figure neighbours` looks). "
        "Nothing was measured but what stands above. Not for deciding about people, nor for passing samples off as real."
    )


def _licence(about: About) -> str:
    weights = f"Code and weights: {_LICENCE.upper()}, see `{LICENCE}`."
    if about.source is None:
        return f"{weights} The data are its author's own; ask there what they allow."
    if not about.source.licence:
        return f"{weights} The data are made by the package."
    theirs = about.source.licence
    return f"{weights} The data are not here, and have a licence of their own, which may bind the weights: {theirs}."


def _under(about: About) -> str:
    return f" of {about.given}" if about.given else ""
