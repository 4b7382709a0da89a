"""The dashboards of charts/grafana, as a small Python source: `python -m tools.dashboards`.

`panels` knows Grafana's JSON, `planes` asks data planes about requests, `releases` asks the
controller about releases.
"""
