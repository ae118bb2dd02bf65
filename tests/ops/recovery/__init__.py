"""The tests of what operators see of recovery: moto's tables as the template has them."""
