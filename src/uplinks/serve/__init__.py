"""Programs that serve: a child's API, and a live parent.

- `child`: the document that a child's parents poll
- `live`: the parent that follows its sources: updates in, documents out, no I/O and no clock
- `claims`, `document`, `history`, `reading`, `view`: the parts of it
- `server`: the parent's endpoints, files and signals
"""
