"""What wakes recovery in; intakes paused and resumed, scaled and switched out, and people told where it cannot."""

from backstop.wiring.recover import recover_function

lambda_handler = recover_function()
