"""Opens a Zarr store again and again while somebody writes to it, until standard input ends; prints what was seen.

Every warning is an error. A day that is visible and not listed as updating must be whole and of one edition: as many
values in each variable as its first line on standard input says, and all variables of the same edition.
"""

import glob
import json
import os
import sys
import threading
import time
import warnings

import numpy as np
import xarray as xr

warnings.simplefilter("error")
store, pause_ms = sys.argv[1], float(sys.argv[2])
expected = json.loads(sys.stdin.readline())
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
root = os.path.join(store, "zarr.json")
seen = {"openings": 0, "days": 0, "longest": 0, "halves": [], "errors": []}


def identity(place):
    """Of the day's objects: changes when one is written again, whatever with."""
    paths = [path for name in expected for path in glob.glob(os.path.join(store, name, f"c.{place}.*"))]
    return {path: (os.stat(path).st_ino, os.stat(path).st_mtime_ns) for path in paths}


def look():
    place = np.random.randint(max(1, seen["longest"]))
    before = identity(place)
    dataset = xr.open_zarr(store)
    lengths = {int(dataset[name].sizes["time"]) for name in expected}
    assert len(lengths) == 1 and lengths == {dataset.sizes["time"]}, lengths
    assert dataset.sizes["time"] == 17280 * dataset.sizes["day"]
    seen["longest"] = max(seen["longest"], dataset.sizes["day"])
    if place >= dataset.sizes["day"]:
        return
    updating = dataset.attrs["updating"]
    day = str(dataset["day"].values[place])[:10]
    if day in updating:
        return
    steps = slice(place * 17280, (place + 1) * 17280)
    found = {name: dataset[name].isel(time=steps).values for name in expected}
    counts = {name: int(np.isfinite(values).sum()) for name, values in found.items()}
    source = str(dataset["source_sha256"].values[place])
    # Editions differ by quarters in the positions: x is that of y with another sign, z its half.
    x, y, z = (found[f"sensor_position_{axis}"] for axis in "xyz")
    is_one = np.array_equal(x, -y, equal_nan=True) and np.array_equal(x, 2 * z, equal_nan=True)
    # A day that was rewritten while it was read, once or there and back, could not be told from the list that was read before.
    if identity(place) != before:
        return
    seen["days"] += 1
    if not is_one or counts != (expected if source else dict.fromkeys(expected, 0)):
        seen["halves"].append({"day": day, "counts": counts, "one": is_one})


while True:
    is_last = ended.is_set()
    if os.path.exists(root):
        try:
            look()
        except Exception as error:  # whatever a reader would meet
            seen["errors"].append(repr(error))
        seen["openings"] += 1
    if is_last:
        break
    time.sleep(pause_ms / 1000)
print(json.dumps(seen))
