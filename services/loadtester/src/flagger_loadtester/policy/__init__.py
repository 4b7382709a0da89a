"""What strict mode allows (loadtester.md section 8.2.2): pure, but for reading the policy file.

`document` is what the operator writes, `scope` what of it holds for one namespace, `kinds` judge
single arguments, `options` a command line by the tables in `commands` and `kubectl`, `guard` all of
it together.
"""
