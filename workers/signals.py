"""How the lower room tells the upper ones, always after the commit."""

from django.dispatch import Signal

# A slot may be free or a start may have become possible. No arguments: receivers read the database.
slots_may_be_free = Signal()
