"""What is the matter in, what is done about it out: looked at, planned, remembered, done, told."""
