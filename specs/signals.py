"""Questions that specs ask of the layers above."""

from django.dispatch import Signal

# Sent with `spec` before a spec is deleted, inside the transaction that deletes it.
# A receiver that needs the spec returns a sentence ("Worker 12 runs it."), any other returns None.
spec_in_use = Signal()

# Sent with `name` before the agent profile of that name is deleted or renamed; answered in the same way.
profile_in_use = Signal()
