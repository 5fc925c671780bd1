"""Voting as a decision procedure: pure functions of the votes so far, from rules to waves to what is told of them."""
