"""Callbacks: which URLs the app may call, how they are kept, what is sent to them, and how it gets there safely."""
