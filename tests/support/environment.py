"""The environment of the tests, set before Django reads its settings: a data directory of their own."""

import atexit
import os
import shutil
import tempfile

DATA = tempfile.mkdtemp(prefix="specyard-tests-")
os.environ["SPECYARD_DATA_DIR"] = DATA
os.environ["SPECYARD_NODE_NAME"] = "test-node"
os.environ.pop("REDIS_URL", None)
os.environ.pop("MAX_WORKERS", None)
atexit.register(shutil.rmtree, DATA, ignore_errors=True)
