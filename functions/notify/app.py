"""What the alert topic delivers in, the channels told out."""

import channels

from backstop.wiring.notify import notify_function

lambda_handler = notify_function(channels.deliver)
