"""Redrives: dead letters sent back by choice, how far each has come, and what becomes of it."""
