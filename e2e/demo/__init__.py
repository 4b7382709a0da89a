"""The demo: four releases of podinfo, as a person would follow them in a terminal."""
