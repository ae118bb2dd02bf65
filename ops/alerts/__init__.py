"""Alerts: which were sent, and whether one arrives."""
