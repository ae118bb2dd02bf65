"""What recovery did about which cause, and what of it holds now."""
