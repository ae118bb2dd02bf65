"""Dead letters: how many there are and why, which one is which, and what becomes of them."""
