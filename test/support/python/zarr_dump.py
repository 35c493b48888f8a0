"""Opens a Zarr store with xarray and with zarr-python, every warning an error, and prints what both see as JSON."""

import json
import math
import sys
import warnings

warnings.simplefilter("error")

import numpy as np  # noqa: E402
import xarray as xr  # noqa: E402
import zarr  # noqa: E402


def plain(values):
    if isinstance(values, list):
        return [plain(value) for value in values]
    if isinstance(values, float) and math.isnan(values):
        return None
    return values


def array(values):
    values = np.asarray(values)
    if values.dtype.kind == "M":
        return [str(value) for value in values.astype("datetime64[s]").ravel()]
    return plain(values.tolist())


path = sys.argv[1]
dataset = xr.open_zarr(path)
group = zarr.open_group(path, mode="r")
consolidated = group.metadata.consolidated_metadata
alone = zarr.open_group(path, mode="r", use_consolidated=False)
print(
    json.dumps(
        {
            "attributes": {name: plain(value) for name, value in dataset.attrs.items()},
            "sizes": {str(name): size for name, size in dataset.sizes.items()},
            "coordinates": sorted(str(name) for name in dataset.coords),
            "variables": {str(name): array(dataset[name].values) for name in dataset.variables},
            "consolidated": sorted(consolidated.metadata) if consolidated else None,
            "raw": {name: array(member[...]) for name, member in group.members()},
            "alone": {name: array(member[...]) for name, member in alone.members()},
        }
    )
)
