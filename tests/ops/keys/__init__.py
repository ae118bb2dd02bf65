"""The tests of what operators see of keys that wait, and decide: moto's tables as the template has them."""
