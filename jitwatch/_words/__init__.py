"""Safe wording of the parts of a record: names, places, leaves, keys, quantities. Pure."""
