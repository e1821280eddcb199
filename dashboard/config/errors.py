"""Why a configuration is refused."""


class ConfigInvalid(Exception):
    """The configuration is wrong; the message says where and what, a line for each thing."""
