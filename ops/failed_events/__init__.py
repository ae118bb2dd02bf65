"""Failed events: where each is now, and what befell it."""
