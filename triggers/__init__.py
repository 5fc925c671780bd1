"""HTTP: parse, call the durable client, answer."""
