"""The intakes of a stack: where fresh events come in, stopped and let go on by an operator."""
