"""A Firehose transformation event in, each record's answer out."""

from pathlib import Path

import handler

from backstop.wiring.transform import transform_function

lambda_handler = transform_function(
    handler.transform, Path(__file__).with_name("schema.json"), kinds=getattr(handler, "KINDS", None)
)
