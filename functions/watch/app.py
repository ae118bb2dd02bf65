"""What workers log in, failures counted by group and people told out."""

from backstop.wiring.watch import watch_function

lambda_handler = watch_function()
