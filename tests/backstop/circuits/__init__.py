"""Circuits, from a call to the state that all workers share."""
