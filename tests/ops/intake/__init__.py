"""The tests of what operators see and decide of intakes: moto's tables, a small Lambda, and recovery's own plan."""
