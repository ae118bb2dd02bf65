"""A drill of an outage: the payment gateway fails amid good orders, and an account of what became of all."""
