"""Files that users send: who may, under which name, and where to."""
