"""Reads what W&B wrote offline: records of protocol buffers in blocks of 32 KiB."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK, _HEADER, _FIRST_BYTES = 32768, 7, 7
_FULL, _LAST = 1, 4


def _payloads(raw: bytes) -> Iterator[bytes]:
    at, payload = _FIRST_BYTES, b""
    while at + _HEADER <= len(raw):
        if _BLOCK - at % _BLOCK < _HEADER:  # too little room for a record: zeros
            at += _BLOCK - at % _BLOCK
            continue
        length, kind = int.from_bytes(raw[at + 4 : at + 6], "little"), raw[at + 6]
        payload += raw[at + _HEADER : at + _HEADER + length]
        at += _HEADER + length
        if kind in (_FULL, _LAST):
            yield payload
            payload = b""


def read(folder: Path) -> dict[str, Any]:
    """The run in ``offline-run-*``: what it is called, where it lies, its config, its history and its summary."""
    from wandb.proto.wandb_internal_pb2 import Record

    (file,) = folder.glob("*.wandb")
    found: dict[str, Any] = {"folder": folder, "config": {}, "history": [], "summary": {}, "metrics": {}}
    for payload in _payloads(file.read_bytes()):
        record = Record.FromString(payload)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            found |= {"id": run.run_id, "name": run.display_name, "group": run.run_group, "project": run.project}
            found |= {"tags": set(run.tags), "job_type": run.job_type}
        configs = [record.run.config] if kind == "run" else [record.config] if kind == "config" else []
        for item in (item for config in configs for item in config.update):
            found["config"][item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
        if kind == "history":
            row = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            found["history"].append(row)
        elif kind == "summary":
            for item in record.summary.update:
                found["summary"][item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
        elif kind == "metric":
            found["metrics"][record.metric.name or record.metric.glob_name] = record.metric
    return found
