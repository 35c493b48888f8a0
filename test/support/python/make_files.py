"""Writes CDF files with the writers of cdflib, pycdfpp and spacepy (libcdf), for our reader.

    make_files.py FOLDER        prints one file name per line

Each file shows one way in which files of others differ from ours: byte order, majority, compression, index shape,
sparse records, rVariables, fixed dimensions, whole-file compression.
"""

import ctypes
import os
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")

from cdflib import cdfwrite  # noqa: E402
import pycdfpp  # noqa: E402
from spacepy import pycdf  # noqa: E402
from spacepy.pycdf import const  # noqa: E402

CUBE = np.arange(5 * 3 * 4, dtype=np.float64).reshape(5, 3, 4) * 1.5
GRID = np.arange(7 * 2, dtype=np.int32).reshape(7, 2) - 5
TIMES = 810216069184000000 + np.arange(7, dtype=np.int64) * 5_000_000_000
NAMES = ["alpha", "be", "gamma"]
NUMPY_TYPES = {
    "CDF_INT1": np.int8, "CDF_INT2": np.int16, "CDF_INT4": np.int32, "CDF_INT8": np.int64, "CDF_UINT1": np.uint8,
    "CDF_UINT2": np.uint16, "CDF_UINT4": np.uint32, "CDF_BYTE": np.int8, "CDF_REAL4": np.float32,
    "CDF_FLOAT": np.float32, "CDF_REAL8": np.float64, "CDF_DOUBLE": np.float64, "CDF_EPOCH": np.float64,
    "CDF_TIME_TT2000": np.int64,
}


def sample(type_name, shape):
    """Values that fill the type's bytes: a wrong byte order or size shows."""
    dtype = np.dtype(NUMPY_TYPES[type_name])
    count = int(np.prod(shape))
    if dtype.kind == "f":
        return (np.linspace(-1e6, 1e6, count) / 7).astype(dtype).reshape(shape)
    limits = np.iinfo(dtype)
    step = (limits.max - limits.min) // max(1, count)
    return np.array([limits.min + step * i for i in range(count)], dtype=dtype).reshape(shape)


def with_spacepy(path, encoding=None, column_major=False, compress=None, level=0, checksum=False, whole=None):
    with pycdf.CDF(path, "") as cdf:
        if encoding is not None:
            cdf._call(const.PUT_, const.CDF_ENCODING_, ctypes.c_long(encoding))
        cdf.col_major(column_major)
        cdf.checksum(checksum)
        for name in NUMPY_TYPES:
            variable = cdf.new(name, type=getattr(const, name), dims=[3], compress=compress, compress_param=level)
            raw = cdf.raw_var(variable.name())
            raw[...] = sample(name, (4, 3))
        cdf.new("cube", CUBE, type=const.CDF_DOUBLE, compress=compress, compress_param=level)
        epoch16 = cdf.new("epoch16", type=const.CDF_EPOCH16, compress=compress, compress_param=level)
        cdf.raw_var("epoch16")[...] = np.arange(6, dtype=np.float64).reshape(3, 2) * 1e9
        cdf.new("labels", NAMES, type=const.CDF_CHAR, recVary=False)
        cdf.new("text_cube", np.array([[["a", "bb"], ["c", "dddd"], ["e", "f"]]] * 2), type=const.CDF_CHAR)
        cdf.new("empty", type=const.CDF_DOUBLE, dims=[2], compress=compress, compress_param=level)
        cdf["cube"].attrs["UNITS"] = "nT"
        cdf["cube"].attrs.new("RANGE", [1.5, 2.5], type=const.CDF_DOUBLE)
        epoch16.attrs["FIELDNAM"] = "épo"
        cdf.attrs["Project"] = ["one", "zwei ü"]
        cdf.attrs.new("Numbers", [1, -2, 3], type=const.CDF_INT2)
        cdf.attrs.new("Stamp", type=const.CDF_TIME_TT2000)
        if whole is not None:
            cdf.compress(*whole)


def put_scalar(variable, number, value):
    """Writes one record; spacepy itself would not leave records out."""
    data = np.array(value)
    variable._call(const.SELECT_, const.zVAR_RECNUMBER_, ctypes.c_long(number),
                   const.PUT_, const.zVAR_DATA_, data.ctypes.data_as(ctypes.c_void_p))


def blocks_with_spacepy(path, records, block, compress=None):
    with pycdf.CDF(path, "") as cdf:
        variable = cdf.new("v", type=const.CDF_INT4, dims=[2], compress=compress)
        variable._call(const.PUT_, const.zVAR_BLOCKINGFACTOR_, ctypes.c_long(block))
        other = cdf.new("w", type=const.CDF_INT4, compress=compress)
        for i in range(records):  # in turns, so that neither can grow in place
            variable.append([i, -i])
            other.append(i * 3)


def sparse_with_spacepy(path, kind, compress=None):
    with pycdf.CDF(path, "") as cdf:
        variable = cdf.new("v", type=const.CDF_DOUBLE, sparse=kind, pad=-7.5, compress=compress)
        for record in (2, 3, 9, 20):
            put_scalar(variable, record, record * 1.25)


def fixed_dimensions_with_spacepy(path):
    with pycdf.CDF(path, "") as cdf:
        variable = cdf.new("v", type=const.CDF_INT4, dims=[2, 3], dimVarys=[True, False])
        variable[...] = np.arange(4 * 2).reshape(4, 2, 1).repeat(3, axis=2)


def with_cdflib(path, encoding=6, row_major=True, compressed=0, checksum=False, var_type="zVariable", whole=0):
    majority = "row_major" if row_major else "column_major"
    spec = {"Majority": majority, "Encoding": encoding, "Checksum": checksum, "Compressed": whole, "rDim_sizes": [3, 4]}
    cdf = cdfwrite.CDF(path, cdf_spec=spec)
    cdf.write_globalattrs({"Project": {0: "one", 1: "two", 3: "four"}, "Number": {0: [2.5, "CDF_DOUBLE"]}})

    def write(name, type_name, values, dims, varies=True, elements=1):
        var_spec = {
            "Variable": name, "Data_Type": cdf.__getattribute__(type_name), "Num_Elements": elements, "Rec_Vary": varies,
            "Dim_Sizes": dims, "Compress": compressed, "Var_Type": var_type,
        }
        if var_type == "rVariable":
            var_spec["Dim_Vary"] = [True, True]
        cdf.write_var(var_spec, var_attrs={"CATDESC": f"about {name}"}, var_data=values)

    write("cube", "CDF_DOUBLE", CUBE, [3, 4])
    if var_type == "zVariable":
        write("grid", "CDF_INT4", GRID, [2])
        write("Epoch", "CDF_TIME_TT2000", TIMES, [])
        write("labels", "CDF_CHAR", np.array(NAMES), [3], varies=False, elements=5)
    cdf.close()


def with_pycdfpp(path, row_major=True, compression="no_compression", records=5):
    cdf = pycdfpp.CDF()
    cdf.majority = pycdfpp.Majority.row if row_major else pycdfpp.Majority.column
    kind = getattr(pycdfpp.CompressionType, compression)
    cdf.add_attribute("Project", ["one", "zwei ü"])
    cube = np.arange(records * 12, dtype=np.float64).reshape(records, 3, 4) / 3
    cdf.add_variable("cube", cube, pycdfpp.DataType.CDF_DOUBLE, compression=kind, attributes={"UNITS": "nT"})
    cdf.add_variable("grid", GRID, pycdfpp.DataType.CDF_INT4, compression=kind)
    cdf.add_variable("labels", np.array(NAMES), pycdfpp.DataType.CDF_CHAR, is_nrv=True)
    pycdfpp.save(cdf, path)


def cases():
    yield "spacepy-plain", with_spacepy, {}
    yield "spacepy-network-checksum", with_spacepy, {"encoding": 1, "checksum": True}
    yield "spacepy-column", with_spacepy, {"column_major": True}
    yield "spacepy-ppc-column-gzip", with_spacepy, {
        "encoding": 9, "column_major": True, "compress": const.GZIP_COMPRESSION, "level": 3}
    yield "spacepy-rle", with_spacepy, {"compress": const.RLE_COMPRESSION}
    yield "spacepy-whole-gzip", with_spacepy, {"whole": (const.GZIP_COMPRESSION, 5)}
    yield "spacepy-whole-gzip-checksum", with_spacepy, {"whole": (const.GZIP_COMPRESSION, 5), "checksum": True}
    yield "spacepy-whole-rle", with_spacepy, {"whole": (const.RLE_COMPRESSION, 0)}
    yield "spacepy-300-blocks", blocks_with_spacepy, {"records": 300, "block": 1}
    yield "spacepy-300-gzip-blocks", blocks_with_spacepy, {
        "records": 300, "block": 1, "compress": const.GZIP_COMPRESSION}
    yield "spacepy-sparse-pad", sparse_with_spacepy, {"kind": const.PAD_SPARSERECORDS}
    yield "spacepy-sparse-previous", sparse_with_spacepy, {"kind": const.PREV_SPARSERECORDS}
    yield "spacepy-sparse-pad-gzip", sparse_with_spacepy, {
        "kind": const.PAD_SPARSERECORDS, "compress": const.GZIP_COMPRESSION}
    yield "spacepy-fixed-dimension", fixed_dimensions_with_spacepy, {}
    yield "cdflib-plain", with_cdflib, {}
    yield "cdflib-network-gzip-checksum", with_cdflib, {"encoding": 1, "compressed": 6, "checksum": True}
    yield "cdflib-column", with_cdflib, {"row_major": False}
    yield "cdflib-rvariables", with_cdflib, {"var_type": "rVariable"}
    yield "cdflib-whole", with_cdflib, {"whole": 5}
    yield "pycdfpp-plain", with_pycdfpp, {}
    yield "pycdfpp-column", with_pycdfpp, {"row_major": False}
    yield "pycdfpp-gzip", with_pycdfpp, {"compression": "gzip_compression", "records": 20000}
    yield "pycdfpp-rle", with_pycdfpp, {"compression": "rle_compression"}


if __name__ == "__main__":
    folder = sys.argv[1]
    for name, write, options in cases():
        path = os.path.join(folder, name + ".cdf")
        write(path, **options)
        print(path)
