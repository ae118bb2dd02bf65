"""The core of `transform`, from records to their answers, against a plain loop that does the same JSON work."""

from __future__ import annotations

import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from random import Random
from typing import Any

import fastjsonschema

from backstop.stream import reader
from backstop.transform import Flow, Record, transform
from benchmarks.table import Row
from benchmarks.timing import ratios
from ops.local.state import ROOT

_BATCH_BYTES = 3_000_000
_RECORD_BYTES = 200
_FOLDER = ROOT / "functions/transform"
_SCHEMA = json.loads((_FOLDER / "schema.json").read_text())


def measure() -> list[Row]:
    records = _records()
    found = ratios({"a plain loop": _plain(records), "Backstop": _backstop(records)}, rounds=15)
    case = f"{len(records):,} records of {_RECORD_BYTES} bytes"
    return [Row("transforming", case, found["Backstop"], "a plain loop that parses, validates, transforms", 1.15)]


def _plain(records: list[Record]) -> Callable[[], object]:
    validate, transform_click = fastjsonschema.compile(_SCHEMA), _sample()

    def run() -> Mapping[str, Any]:
        answers = []
        for record in records:
            try:
                click = json.loads(b64decode(record["data"]))
                validate(click)
                stored = transform_click(click)
                if stored is None:
                    answers.append({"recordId": record["recordId"], "result": "Dropped", "data": ""})
                    continue
                data = b64encode((json.dumps(stored) + "\n").encode()).decode()
                answers.append({"recordId": record["recordId"], "result": "Ok", "data": data})
            except Exception:  # noqa: BLE001  # as a plain loop does
                answers.append({"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]})
        return {"records": answers}

    return run


def _backstop(records: list[Record]) -> Callable[[], object]:
    flow = Flow(reader(_SCHEMA), _sample(), lambda: 60_000, {}, "clicks", str(_FOLDER))
    return lambda: transform(records, flow)


def _sample() -> Callable[[Mapping[str, Any]], dict[str, Any] | None]:
    """Return the sample's own function: both ways call it, so its work is the same in both."""
    spec = spec_from_file_location("benchmarks.sample_transform", _FOLDER / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    sample: Callable[[Mapping[str, Any]], dict[str, Any] | None] = module.transform
    return sample


def _records() -> list[Record]:
    random = Random(1)
    return [_record(number, random) for number in range(_BATCH_BYTES // _RECORD_BYTES)]


def _record(number: int, random: Random) -> Record:
    click = {
        "id": f"click-{number}",
        "at": f"2026-11-21T09:{random.randrange(60):02}:{random.randrange(60):02}Z",
        "page": f"https://shop.example/tea/{random.randrange(999)}",
        "user_agent": "Mozilla/5.0 (X11; Linux)",
    }
    text = json.dumps(click | {"padding": ""})
    text = json.dumps(click | {"padding": "x" * (_RECORD_BYTES - len(text))})
    return {
        "recordId": f"{random.getrandbits(180):056}",
        "approximateArrivalTimestamp": 1795222800000,
        "data": b64encode(text.encode()).decode(),
    }
