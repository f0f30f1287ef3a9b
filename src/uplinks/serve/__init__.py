"""The live parent: what its sources say now, served to proxies and shown to people.

- `live`: sources in, documents out; no I/O and no clock
- `claims`, `document`, `history`, `reading`: the parts of it
"""
