"""The custom resources of `flagger.app/v1beta1` as frozen models; no I/O."""
