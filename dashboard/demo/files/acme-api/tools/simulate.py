"""A day of made-up traffic against the limiter, hour by hour."""

import random

from acme.limits import Limiter

from tools.console import CYAN, DIM, GREEN, RED, bar, good, head, paced, paint, say

# Requests per key and hour over the day: quiet nights, busy mornings.
SHAPE = [4, 3, 2, 2, 3, 6, 14, 30, 62, 88, 96, 90, 70, 78, 92, 98, 84, 66, 48, 36, 26, 18, 12, 7]
KEYS = 40


def requests(dice, hour):
    """The moments and keys of an hour; every tenth key is greedy."""
    for key in range(KEYS):
        greed = 12 if key % 10 == 0 else 1
        for _ in range(round(SHAPE[hour] * greed * dice.uniform(0.6, 1.4))):
            yield hour * 3600 + dice.uniform(0, 3600), f"key-{key:02}"


def main():
    dice, limiter = random.Random(24), Limiter(budget=20, seconds=60)
    total = refused = 0
    head("hour    requests   refused")
    for hour in paced(range(24), 10.0):
        traffic = sorted(requests(dice, hour))
        turned = sum(not limiter.allow(key, moment) for moment, key in traffic)
        total, refused = total + len(traffic), refused + turned
        share = f"{turned / len(traffic):6.1%}"
        colour = RED if turned else DIM
        busy = bar(len(traffic) / 8500, colour=GREEN if not turned else CYAN)
        say(f"{hour:02}:00  {len(traffic):8,}  {paint(share, colour)}  {busy}")
    good(f"{total:,} requests, {refused:,} refused, all of them over their budget")


if __name__ == "__main__":
    main()
