"""Recipes: ready requests with parameters, each a TOML file. docs/recipes.md has the format."""
