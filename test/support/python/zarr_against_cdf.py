"""Holds a Zarr store, as xarray and zarr-python read it, against the CDFs it was made from, as cdflib reads them.

Arguments: the store, then the CDFs. Every warning of the Zarr side is an error. Prints what was compared as JSON.
"""

import hashlib
import json
import sys
import warnings

import cdflib
import numpy as np
import xarray as xr
import zarr

NAMES = ["dose_rate", "lat", "lon", "alt", "obQuality"] + [f"sensor_position_{axis}" for axis in "xyz"]


def same(found, expected):
    return np.array_equal(
        np.ascontiguousarray(found).view("u8"), np.ascontiguousarray(expected).view("u8")
    )


store, *paths = sys.argv[1:]
files = []
for path in paths:
    cdf = cdflib.CDF(path)
    times = cdflib.cdfepoch.to_datetime(cdf.varget("Epoch")).astype("datetime64[s]")
    values = {name: np.atleast_2d(cdf.varget(name)) for name in NAMES}
    values["dose_rate"] = cdf.varget("dose_rate").reshape(len(times), -1, cdf.varget("dosimeter_flavor_ids").size)
    flavors = np.atleast_2d(cdf.varget("dosimeter_flavors"))
    files.append((path, times, np.atleast_1d(cdf.varget("sensor_ids")), flavors, values))

warnings.simplefilter("error")
dataset = xr.open_zarr(store)
group = zarr.open_group(store, mode="r")
compared = 0
present = {name: 0 for name in NAMES}
for path, times, sensors, flavors, values in files:
    places = dataset.indexes["time"].get_indexer(times)
    columns = [dataset.indexes["sensor_ids"].get_loc(sensor) for sensor in sensors]
    assert (places >= 0).all(), "a time of the CDF is not on the store's axis"
    for name in NAMES:
        expected = np.where(values[name] == -1e31, np.nan, values[name])
        present[name] += int(np.isfinite(expected).sum())
        found = dataset[name].isel(time=places, sensor_ids=columns).values
        raw = group[name].oindex[(places, columns)]
        if name == "dose_rate":
            slots = np.full(flavors.shape, -1)
            labels = dataset["dosimeter_flavors"].values[columns]
            for cell in np.ndindex(flavors.shape):
                text = str(flavors[cell]).strip()
                if text:
                    slots[cell] = list(labels[cell[0]]).index(text)
            for (sensor, flavor), slot in np.ndenumerate(slots):
                if slot >= 0:
                    assert same(found[:, sensor, slot], expected[:, sensor, flavor]), (path, name)
                    assert same(raw[:, sensor, slot], expected[:, sensor, flavor]), (path, name)
                    compared += len(times)
        else:
            assert same(found, expected), (path, name)
            assert same(raw, expected), (path, name)
            compared += expected.size
    day = times[0].astype("datetime64[D]")
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    assert str(dataset["source_sha256"].sel(day=day).values) == digest, path
stored = {name: int(np.isfinite(dataset[name].values).sum()) for name in NAMES}
assert stored == present, (stored, present)
print(
    json.dumps(
        {
            "compared": compared,
            "coordinates": sorted(str(name) for name in dataset.coords),
            "sizes": {str(name): size for name, size in dataset.sizes.items()},
            "first": str(dataset["time"].values[0]),
            "last": str(dataset["time"].values[-1]),
            "attributes": {name: value for name, value in dataset.attrs.items()},
            "units": {name: dataset[name].attrs.get("units") for name in NAMES},
        }
    )
)
