"""A newer agent takes over: fetched or carried here, proven, put beside the old one, on probation, taken back if bad.

    link ─▶ fetching ─┐
                      ├▶ waiting file ─▶ installing ─▶ pointer ─▶ launcher ─▶ probation ─▶ kept or taken back
    stick ─▶ carrying ┘

`pointer` and `launcher` use the standard library only: the launcher is the package's, and starts whatever is pointed
at. Identity and spool are touched by none of this (decision 0026).
"""
