"""The law of the wire. It binds every version of the agent and of the centre, for ever.

1. A push is `POST /api/v1/push`: NDJSON, packed as `packing.py` says. Line 1 is the envelope; each further line is one
   event, the very bytes the station's spool holds.
2. Fields are only added, each with a default. A kind of event is never reused for another meaning.
3. Unknown fields and unknown kinds are kept whole. A known kind that lacks a field is set aside with its bytes: it is
   never dropped and never blocks the events behind it.
4. `seq` runs 1, 2, 3 … without holes in one `stream`; what is missing is declared by a `spool.gap` line in its place.
5. The chain `h(n) = SHA-256(h(n-1) + line bytes)` binds the events together; the envelope's `head` is the chain
   before `from`.
6. The answer's `stored` is the highest seq of the contiguous committed run. The station's cursor is always what the
   centre last said, also when that goes back.
7. Golden samples under `samples/` are never edited. A new major version is a new file beside the old one.
8. A station may come back after a year: no minimum agent version is ever asked of a delivery.
"""
