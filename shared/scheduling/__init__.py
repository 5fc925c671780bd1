"""Which call of a run starts when: pure state machines, so that a replay decides as the first time."""
