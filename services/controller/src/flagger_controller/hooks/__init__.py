"""Web hooks: the questions and notices that a release sends to people's own services."""
