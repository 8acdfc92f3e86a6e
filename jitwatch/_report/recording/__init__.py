"""One recording as text, as JSON, or as declarations."""
