"""The replay: what Firehose keeps under its error prefix, put back on the stream, each record once."""
