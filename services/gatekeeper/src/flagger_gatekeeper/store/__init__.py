"""Where gates are kept: one file a kind of store, all behind `base.GateStore`."""
