"""How the lower room tells the upper ones, always after the commit."""

from django.dispatch import Signal

# A slot may be free or a start may have become possible. No arguments: receivers read the database.
slots_may_be_free = Signal()

# Which projects will probably need a workspace next? Arguments: `node`, and `most`, how many are asked for. Receivers
# answer with a list of projects, the first that will be needed first; one that is needed twice is named twice.
workspaces_wanted = Signal()
