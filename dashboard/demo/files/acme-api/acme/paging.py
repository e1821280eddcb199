"""Pages of a list, counted from 1."""


def page_count(items, size):
    """How many pages a list of so many items has; the last one may be shorter."""
    return -(-items // size)


def page(items, number, size):
    """The items of one page, none when there is no such page."""
    if not 1 <= number <= page_count(len(items), size):
        return []
    return items[(number - 1) * size : number * size]
