"""Tools for who runs the app; nothing here is deployed."""
