"""Builds a store like reachback's from the same CDFs, as a user of xarray would, and prints what it cost as JSON.

    zarr_by_xarray.py ordinary|tuned <folder of the store> <CDF of a day>...

ordinary  cdflib's own way to an xarray.Dataset, the grid by `reindex`, `to_zarr(append_dim="time")` day after day
tuned     values by CDFpp (libdeflate) set into arrays of the grid, room for all days made first, then
          `to_zarr(region=...)` by one process per core

Measurements and axes are those of reachback's store: grid, chunks, shards, zstd at level 1 with its checksum, consolidated
metadata. What each day was taken from, hashes, and durability on disk are left out. Imports are not in the figures.
"""

import json
import multiprocessing
import os
import resource
import shutil
import sys
import time
import warnings

import cdflib.xarray
import numpy as np
import pycdfpp
import xarray as xr
import zarr
from zarr.codecs import BytesCodec, ZstdCodec

STEPS = 17_280
NAMES = ["dose_rate", "lat", "lon", "alt", "obQuality"] + [f"sensor_position_{axis}" for axis in "xyz"]
AXES = ["time", "sensor_ids", "dosimeter_flavor_ids"]
MISSING = -1e30


def encoding(dataset):
    codec = ZstdCodec(level=1, checksum=True)
    arrays = {
        name: {"chunks": (STEPS, 1, 1)[: array.ndim], "shards": array.shape, "compressors": [codec]}
        for name, array in dataset.items()
    }
    epoch = str(dataset["time"].values[0])[:10]
    return arrays | {"time": {"units": f"seconds since {epoch}", "dtype": "int32", "chunks": (64 * STEPS,)}}


def grid(day):
    return day.astype("datetime64[ns]") + np.arange(STEPS) * np.timedelta64(5, "s")


def plain(dataset):
    """Without what the CDF says about itself: attributes of another convention, encodings of another format."""
    for name in dataset.variables:
        dataset[name].attrs, dataset[name].encoding = {}, {}
    dataset.attrs = {}
    return dataset


def by_cdflib(path):
    found = cdflib.xarray.cdf_to_xarray(path, to_datetime=True, fillval_to_nan=True)[NAMES].rename(Epoch="time")
    found = found.drop_vars([name for name in found.coords if name not in AXES]).reset_coords(drop=False)
    day = found["time"].values[0].astype("datetime64[D]")
    return plain(found.reindex(time=grid(day)))


def ordinary(store, paths):
    for path in paths:
        dataset = by_cdflib(path)
        if os.path.exists(store):
            dataset.to_zarr(store, append_dim="time", zarr_format=3, consolidated=True)
        else:
            dataset.to_zarr(store, encoding=encoding(dataset), zarr_format=3, consolidated=True)


def by_cdfpp(path):
    cdf = pycdfpp.load(path)
    times = pycdfpp.to_datetime64(cdf["Epoch"])
    day = times[0].astype("datetime64[D]")
    steps = (times - day) // np.timedelta64(5, "s")
    arrays = {}
    for name in NAMES:
        values = np.asarray(cdf[name].values)
        target = np.full((STEPS, *values.shape[1:]), np.nan)
        target[steps] = np.where(values > MISSING, values, np.nan)
        arrays[name] = (AXES[: values.ndim], target)
    sensors = np.asarray(cdf["sensor_ids"].values).ravel()
    axes = {"time": grid(day), "sensor_ids": sensors, "dosimeter_flavor_ids": np.arange(2, dtype="i4")}
    return xr.Dataset(arrays, coords=axes)


def write_region(job):
    store, path, index = job
    steps = slice(index * STEPS, (index + 1) * STEPS)
    values = by_cdfpp(path).drop_vars(AXES)
    values.to_zarr(store, region={"time": steps}, zarr_format=3, consolidated=False)


def tuned(store, paths):
    first = by_cdfpp(paths[0])
    first.to_zarr(store, encoding=encoding(first), zarr_format=3, consolidated=False)
    group = zarr.open_group(store, mode="a", use_consolidated=False)
    for name in [*NAMES, "time"]:
        group[name].resize((len(paths) * STEPS, *group[name].shape[1:]))
    group["time"][:] = np.arange(len(paths) * STEPS, dtype="i4") * 5
    jobs = [(store, path, index) for index, path in enumerate(paths)][1:]
    with multiprocessing.Pool(len(os.sched_getaffinity(0))) as pool:
        pool.map(write_region, jobs, chunksize=1)
    zarr.consolidate_metadata(store, zarr_format=3)


def cpu():
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    way, store, *paths = sys.argv[1:]
    shutil.rmtree(store, ignore_errors=True)
    started, started_cpu = time.perf_counter(), cpu()
    {"ordinary": ordinary, "tuned": tuned}[way](store, paths)
    print(json.dumps({"wallS": time.perf_counter() - started, "cpuS": cpu() - started_cpu}))
