"""Events for programs: what streams (`dashboard.live.sse`) and webhooks (`dashboard.webhooks`) tell of the outbox.

`reading` reads events and says which a program wants, `document` describes them.
"""

from dashboard.events.reading import AT_ONCE, Page, Told, Wanted, newest, oldest, page_after, told_after

__all__ = ["AT_ONCE", "Page", "Told", "Wanted", "newest", "oldest", "page_after", "told_after"]
