"""A drill: synthetic orders with injected faults, and an account of where each one ended."""
