"""The state machine: pure, no I/O, no clock, no randomness that is not passed in."""
