"""A small shop that reports its orders."""
