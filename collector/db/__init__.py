"""The database seam: engine, column vocabulary, the two places where dialects differ, and the migration chain."""
