"""The dashboards of charts/grafana, as a small Python source: `python -m tools.dashboards`.

`panels` knows Grafana's JSON, `planes` what is asked of a data plane, `catalog` all of them,
`releases` what is asked of the controller.
"""
