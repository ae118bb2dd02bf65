"""The replay's tests: a bucket that is moto's, a stream that is in memory, and replays between the two."""
