"""One event: where it is now, and all that happened to it."""
