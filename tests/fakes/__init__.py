"""Small classes that behave as AWS does, for tests and benchmarks: no network, no waiting, one seed."""
