"""Prints what spacepy's ISTP checks find in CDF files: a JSON list of messages.

    istp.py FILE...
"""

import json
import sys
import warnings

warnings.simplefilter("ignore")

from spacepy import pycdf  # noqa: E402
from spacepy.pycdf import istp  # noqa: E402

messages = []
for path in sys.argv[1:]:
    with pycdf.CDF(path) as cdf:
        messages.extend(istp.FileChecks.all(cdf, catch=True))
print(json.dumps(messages))
