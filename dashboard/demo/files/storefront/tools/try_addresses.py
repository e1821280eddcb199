"""Sends 480 made-up addresses through the form's validation; a known share of them is wrong."""

import random
import sys
from collections import Counter

from shop.address import problem
from tools.console import GREEN, YELLOW, bad, bar, good, head, paced, paint, say

NAMES = ["Ada Lovelace", "Grace Hopper", "Alan Turing", "Edsger Dijkstra", "Barbara Liskov"]
STREETS = ["Main Street", "Harbour Road", "Mill Lane", "Station Road", "Church Street"]
CODES = {"DE": "10115", "AT": "1010", "NL": "1012 AB", "GB": "SW1A 1AA"}
SPOILS = {"name": "Ada", "street": "Nowhere", "postcode": "x", "country": "XX"}


def made_up(dice):
    """An address, and the field that was spoilt in it (often none)."""
    country = dice.choice(list(CODES))
    address = {"name": dice.choice(NAMES), "street": f"{dice.choice(STREETS)} {dice.randrange(1, 200)}"}
    address.update(country=country, postcode=CODES[country])
    field = dice.choice([*SPOILS, "", "", "", ""])
    if field:
        address[field] = SPOILS[field]
    return address, field


def main():
    dice, found, missed = random.Random(480), Counter(), 0
    head("480 addresses")
    for block in paced(range(16), 11.0):
        valid = 0
        for _ in range(30):
            address, spoilt = made_up(dice)
            reason = problem(address)
            valid += not reason
            missed += bool(spoilt) != bool(reason)
            found.update([reason] if reason else [])
        say(f"{block * 30 + 1:3} to {block * 30 + 30:3}  {valid:2} of 30 valid  {bar(valid / 30, colour=GREEN)}")
    head("Why the others were refused")
    for reason, count in found.most_common():
        say(f"  {paint(f'{count:3}', YELLOW)} {reason}")
    (bad if missed else good)(f"{missed} judged wrongly")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
