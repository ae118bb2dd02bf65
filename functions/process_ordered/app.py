"""An SQS event in, the ids of the messages that stay with SQS out."""

from pathlib import Path

import handler

from backstop.wiring.process_ordered import process_ordered_function

lambda_handler = process_ordered_function(
    handler.handle, Path(__file__).with_name("schema.json"), kinds=getattr(handler, "KINDS", None)
)
