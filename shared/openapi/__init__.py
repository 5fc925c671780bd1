"""The definitions of the API, made of one table of operations and of the contracts."""
