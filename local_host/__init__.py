"""Runs a Durable Functions app with no Core Tools and no cloud. For development and tests only."""
