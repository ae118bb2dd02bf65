"""The adapters: one file an AWS service, and the only code that talks to AWS."""
