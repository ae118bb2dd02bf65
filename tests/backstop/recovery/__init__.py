"""Recovery, from what is the matter to what is done about it."""
