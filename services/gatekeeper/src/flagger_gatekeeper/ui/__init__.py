"""The web page: who waits, all gates, one gate with its history. Works without JavaScript."""
