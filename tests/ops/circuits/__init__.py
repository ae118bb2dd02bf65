"""The tests of what operators see and decide of circuits: moto's tables as the template has them."""
