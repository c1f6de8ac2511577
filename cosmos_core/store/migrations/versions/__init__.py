"""One module a revision, in order. Once released, a revision never changes."""
