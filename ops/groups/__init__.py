"""Groups of failures: which there are, why, and what an operator decides about them."""
