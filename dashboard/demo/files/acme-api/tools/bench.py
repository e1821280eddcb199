"""How many requests a second the limiter judges."""

import statistics
import time

from acme.limits import Limiter

from tools.console import BLUE, bar, good, head, paint, say

ROUNDS, SECONDS = 8, 0.7


def rate(keys):
    """Judgements a second with so many keys."""
    limiter, count, begun = Limiter(budget=20, seconds=60), 0, time.monotonic()
    while time.monotonic() - begun < SECONDS:
        for n in range(200):
            limiter.allow(n % keys, count / 50)
            count += 1
    return count / (time.monotonic() - begun)


def main():
    head(f"{ROUNDS} rounds of {SECONDS} s")
    rates = []
    for number in range(1, ROUNDS + 1):
        rates.append(rate(keys=10 * number))
        say(f"round {number}, {10 * number:2} keys  {rates[-1]:9,.0f}/s  {bar(rates[-1] / max(rates), colour=BLUE)}")
        time.sleep(0.1)
    good(f"median {paint(f'{statistics.median(rates):,.0f}', BLUE)} judgements a second")


if __name__ == "__main__":
    main()
