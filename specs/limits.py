"""The bounds of every value that comes from outside, in one place: models, importers and pages share them."""

NAME_LENGTH = 100
TITLE_LENGTH = 200
TEXT_LENGTH = 100_000  # description, instructions: characters
COMMAND_LENGTH = 20_000
PATH_LENGTH = 4096
ITEM_LENGTH = 2_000  # one acceptance criterion, one path pattern
ITEMS = 200  # entries of one list
CHUNKS = 500
PRIORITY_LOWEST, PRIORITY_HIGHEST = -100, 100
ATTEMPTS_FEWEST, ATTEMPTS_MOST, ATTEMPTS_DEFAULT = 1, 20, 3
TIMEOUT_SHORTEST, TIMEOUT_LONGEST, TIMEOUT_DEFAULT = 10, 24 * 3600, 30 * 60  # seconds
PROJECT_WORKERS_MOST = 1000
SESSIONS_MOST = 1000  # of one agent profile at once
SECONDS_SHORTEST = 1  # an agent's handshake and silence
ARGUMENTS = 100
ENVIRONMENT_VARIABLES = 200
RESERVED = "SPECYARD_"  # with what our own variables begin
ARTIFACTS = 200  # files of one attempt that are kept
ARTIFACT_SIZE, ARTIFACTS_SIZE = 100 * 10**6, 500 * 10**6  # bytes of one of them, and of all of an attempt
FILE_SIZE = 1024 * 1024  # bytes of a spec file
DEPTH = 20  # nesting of a spec file
NODES = 50_000  # values in a spec file
