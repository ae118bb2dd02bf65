"""The local AWS: the real template, built and deployed by the real SAM, on an emulator."""
