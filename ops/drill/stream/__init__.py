"""A drill of the stream: synthetic clicks, some of them broken, and an account of where each one ended."""
