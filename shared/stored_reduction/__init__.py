"""The reduction of a run in storage: outputs are lines of a file, and nothing here holds all of them."""
