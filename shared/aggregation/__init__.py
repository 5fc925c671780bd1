"""Pure functions that turn branch outcomes into a run's answer: no clock, no random, no I/O."""
