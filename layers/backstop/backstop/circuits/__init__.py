"""What a circuit knows, decides and tells; `backstop.circuit` is what a handler's author sees of it."""
