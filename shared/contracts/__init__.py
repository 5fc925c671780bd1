"""The API's data, as pydantic models: the single source of truth for requests, policies and results.

Models cross the durable boundary as JSON only: `model_dump(mode="json")` out, `model_validate` in.
"""
