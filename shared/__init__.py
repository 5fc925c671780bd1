"""What triggers, orchestrators and activities share: contracts, aggregation, model client, settings."""
