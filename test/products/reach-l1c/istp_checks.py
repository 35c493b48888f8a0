"""Runs spacepy's ISTP checks (file and variables) on the files named on standard input; prints JSON, errors by file."""

import json
import sys

from spacepy import pycdf
from spacepy.pycdf import istp

found = {}
for line in sys.stdin:
    path = line.rstrip("\n")
    with pycdf.CDF(path) as cdf:
        found[path] = [str(error) for error in istp.FileChecks.all(cdf, catch=True)]
print(json.dumps(found))
