"""A turn of a redrive, or the hour's rescue, in; dead letters moved, and whether there is more to do, out."""

from backstop.wiring.redrive import redrive_function

lambda_handler = redrive_function()
