"""Everything that the pages can do, for programs: the same verbs under the same permissions, as JSON under /api/."""
