"""Projects, their specs and chunks, and how they are read from files. The lowest layer: knows no worker."""
