"""The environment in, what a function is told by its template out. Each imports its own: a cold start costs enough."""
