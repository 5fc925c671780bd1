"""The parts of the offline model: an OpenAI-compatible server that answers from the input's own words."""
