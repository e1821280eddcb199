"""What agents have used, as columns of whatever it was used for."""

from decimal import Decimal

from django.db import models

# What is added up, by the names of the columns.
COUNTED = ("tokens_in", "tokens_out", "cost", "cached_read", "cached_written")


class Counted(models.Model):
    """Tokens and dollars, as the agents tell them."""

    tokens_in = models.BigIntegerField(default=0)  # those of the cache included
    tokens_out = models.BigIntegerField(default=0)
    cost = models.DecimalField(max_digits=12, decimal_places=4, default=Decimal(0))  # dollars
    cached_read = models.BigIntegerField(default=0)  # of the tokens in: found in the provider's cache, at a lower price
    cached_written = models.BigIntegerField(default=0)  # of the tokens in: put into it, at a higher one

    class Meta:
        abstract = True
