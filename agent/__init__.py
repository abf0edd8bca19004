"""The daemon on the station PC: watches, records, pushes. Synchronous, driven by `tick(now)`."""
