"""The determinism guard: recorded histories replay to the decisions that were recorded."""
