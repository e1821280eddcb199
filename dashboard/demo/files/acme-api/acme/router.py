"""Which handler answers a path: routes like /users/{id}/keys, the most literal one first."""

import re


class Router:
    """Routes in a list; few enough that nobody needs a tree."""

    def __init__(self):
        self._routes = []

    def add(self, pattern, handler):
        names = re.findall(r"\{(\w+)\}", pattern)
        expression = re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(pattern))
        self._routes.append((len(names), re.compile(expression), names, handler))
        self._routes.sort(key=lambda route: route[0])

    def find(self, path):
        """The handler and the values of the path's names, or None."""
        for _, expression, names, handler in self._routes:
            match = expression.fullmatch(path)
            if match:
                return handler, dict(zip(names, match.groups()))
        return None
