"""The circuits of a stack: how each stands, and what an operator decides about one."""
