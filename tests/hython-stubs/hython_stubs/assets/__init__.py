"""Digital assets in expanded form: reading, judging, and running their Python in the fake."""
