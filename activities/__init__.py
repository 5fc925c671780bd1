"""Effects: everything that a run does to the world outside its own history."""
