"""Two recordings, or a recording and its budget, as text, Markdown or JSON."""
