"""What the app tells of its runs to those who operate it: spans, metrics and logs.

`telemetry` is the one seam: activities, models and the end of orchestrations speak to it, and it does nothing until
`function_app` has started something. `facts` are what is told, without a name of any library; `told_model` tells of the
calls of a model. `open_telemetry` is the module that knows how, with its parts `exporters`, `instruments`, `ids` and
`log_records`; all of these are imported when telemetry is on, and else never.
"""
