"""Documents in blobs: which blobs, and the texts that they hold."""
