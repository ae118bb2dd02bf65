"""The keys that wait: which they are, what each waits for, and what an operator decides about its head."""
