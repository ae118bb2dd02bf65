"""The operator's side of Backstop: what runs on a laptop or in a pipeline, never in Lambda."""
