"""Prints CDF files as three independent readers see them: one JSON object per line, per file and reader.

    printf '%s\n' FILE... | dump.py [READER...]

Readers: cdflib, pycdfpp (CDFpp), spacepy (NASA's libcdf). Numbers come as hexadecimal little-endian bytes, so equality
is bit for bit; long values as their SHA-256. Text comes as lists of text without trailing NULs. A reader that refuses a
file gives {"error": ...}. spacepy also tells the pad value. Attribute entries are [type code, value]; global ones are keyed by entry number.
"""

import hashlib
import json
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")

import cdflib  # noqa: E402
import pycdfpp  # noqa: E402
from spacepy import pycdf  # noqa: E402

TEXT_TYPES = (51, 52)
CODES = {
    "CDF_INT1": 1, "CDF_INT2": 2, "CDF_INT4": 4, "CDF_INT8": 8, "CDF_UINT1": 11, "CDF_UINT2": 12, "CDF_UINT4": 14,
    "CDF_REAL4": 21, "CDF_REAL8": 22, "CDF_EPOCH": 31, "CDF_EPOCH16": 32, "CDF_TIME_TT2000": 33, "CDF_BYTE": 41,
    "CDF_FLOAT": 44, "CDF_DOUBLE": 45, "CDF_CHAR": 51, "CDF_UCHAR": 52,
}
DTYPES = {1: "i1", 2: "<i2", 4: "<i4", 8: "<i8", 11: "u1", 12: "<u2", 14: "<u4", 21: "<f4", 22: "<f8", 31: "<f8", 32: "<f8",
          33: "<i8", 41: "i1", 44: "<f4", 45: "<f8"}
LONG = 65536


def number_bytes(values):
    array = np.ascontiguousarray(values)
    if array.dtype.names is None and array.dtype.kind != "V":
        array = array.astype(array.dtype.newbyteorder("<"))
    raw = array.tobytes()
    return "sha256:" + hashlib.sha256(raw).hexdigest() if len(raw) > LONG else raw.hex()


def texts(values):
    flat = np.asarray(values).reshape(-1).tolist()
    decoded = (v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in flat)
    return [v.rstrip("\0") for v in decoded]


def encode(type_code, values):
    if type_code in TEXT_TYPES:
        return texts(values)
    if isinstance(values, (int, float, list, tuple)):  # Python's own numbers have no width
        values = np.array(values, dtype=DTYPES[type_code])
    return number_bytes(values)


def text_entry(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def variable(name, type_code, elements, dims, record_varying, records, values):
    return {
        "name": name,
        "type": type_code,
        "elements": elements,
        "dims": [int(d) for d in dims],
        "recordVarying": bool(record_varying),
        "records": int(records),
        "values": encode(type_code, values) if records > 0 else ([] if type_code in TEXT_TYPES else ""),
    }


def read_cdflib(path):
    cdf = cdflib.CDF(path, string_encoding="utf-8")
    info = cdf.cdf_info()
    names = info.rVariables + info.zVariables
    variables = []
    for name in names:
        v = cdf.varinq(name)
        records = v.Last_Rec + 1
        values = cdf.varget(name) if records > 0 else None
        dims = [size for size, varies in zip(v.Dim_Sizes, v.Dim_Vary) if varies]
        variables.append(variable(name, v.Data_Type, v.Num_Elements, dims, v.Rec_Vary, records, values))

    def entry(data):
        code = CODES[data.Data_Type]
        return [code, text_entry(data.Data) if code in TEXT_TYPES else number_bytes(data.Data)]

    global_attributes, variable_attributes = {}, {name: {} for name in names}
    for attribute in info.Attributes:
        (name, scope), = attribute.items()
        inquiry = cdf.attinq(name)
        if scope == "Global":
            entries = {}
            for number in range(inquiry.max_gr_entry + 1):
                try:
                    entries[str(number)] = entry(cdf.attget(name, number))
                except (KeyError, ValueError):
                    pass
            global_attributes[name] = entries
            continue
        for target in names:
            try:
                variable_attributes[target][name] = entry(cdf.attget(name, target))
            except (KeyError, ValueError):
                pass
    return variables, global_attributes, variable_attributes


def read_pycdfpp(path):
    cdf = pycdfpp.load(path)

    def entry(type_, value):
        code = int(type_.value)
        if code in TEXT_TYPES:
            return [code, text_entry(value)]
        if code == 33:
            value = [v.nseconds for v in value]
        elif code == 31:
            value = [v.mseconds for v in value]
        elif code == 32:
            value = [(v.seconds, v.picoseconds) for v in value]
        return [code, number_bytes(np.array(value, dtype=DTYPES[code]))]

    variables, variable_attributes = [], {}
    for name, v in cdf.items():
        code = int(v.type.value)
        shape = list(v.shape)
        elements = shape.pop() if code in TEXT_TYPES else 1
        values = v.values
        variables.append(variable(name, code, elements, shape[1:], not v.is_nrv, shape[0], values))
        variable_attributes[name] = {n: entry(a.type(), a.value) for n, a in v.attributes.items()}
    global_attributes = {
        name: {str(i): entry(a.type(i), a[i]) for i in range(len(a))} for name, a in cdf.attributes.items()
    }
    return variables, global_attributes, variable_attributes


def read_spacepy(path):
    with pycdf.CDF(path) as cdf:
        variables, global_attributes, variable_attributes = [], {}, {}
        for name in cdf.keys():
            v = cdf.raw_var(name)
            records = len(v)
            varying = v.dv()
            dims = [size for size, varies in zip(v._dim_sizes(), varying) if varies]
            values = v[...] if records > 0 else None
            if not all(varying):  # libcdf repeats the values along a fixed dimension
                record = (slice(None),) if v.rv() else ()
                values = values[record + tuple(slice(None) if varies else 0 for varies in varying)]
            described = variable(name, v.type(), v.nelems(), dims, v.rv(), records, values)
            pad = v.pad()
            described["pad"] = None if pad is None else encode(v.type(), pad)
            variables.append(described)
            variable_attributes[name] = {a: raw_entry(v.attrs.type(a), v.attrs[a]) for a in v.attrs}
        for name in cdf.attrs:
            attribute = cdf.attrs[name]
            attribute._raw = True
            numbers = [i for i in range(attribute.max_idx() + 1) if attribute.has_entry(i)]
            global_attributes[name] = {str(i): raw_entry(attribute.type(i), attribute[i]) for i in numbers}
        return variables, global_attributes, variable_attributes


def raw_entry(code, value):
    return [code, text_entry(value) if code in TEXT_TYPES else number_bytes(value)]


READERS = {"cdflib": read_cdflib, "pycdfpp": read_pycdfpp, "spacepy": read_spacepy}


def dump(path, reader):
    result = {"file": path, "reader": reader}
    try:
        variables, global_attributes, variable_attributes = READERS[reader](path)
    except Exception as error:  # whatever a reader throws is its verdict on the file
        return {**result, "error": f"{type(error).__name__}: {error}"}
    return {**result, "variables": variables, "globals": global_attributes, "attributes": variable_attributes}


if __name__ == "__main__":
    for line in sys.stdin:
        for reader in sys.argv[1:] or READERS:
            print(json.dumps(dump(line.rstrip("\n"), reader)), flush=True)
