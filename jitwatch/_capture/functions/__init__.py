"""What a function object is: its name, definition, what it brings along, and who calls it."""
