"""Whether an address can be delivered to."""

import re

POSTCODES = {"DE": r"\d{5}", "AT": r"\d{4}", "NL": r"\d{4} ?[A-Z]{2}", "GB": r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}"}


def problem(address):
    """Why the parcel would come back, empty when it would not."""
    if len(address.get("name", "").split()) < 2:
        return "name: first and last name"
    if not re.search(r"\d", address.get("street", "")):
        return "street: the number is missing"
    pattern = POSTCODES.get(address.get("country", ""))
    if pattern is None:
        return "country: we do not deliver there"
    if not re.fullmatch(pattern, address.get("postcode", "")):
        return "postcode: not one of this country"
    return ""
