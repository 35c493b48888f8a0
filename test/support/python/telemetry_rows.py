"""What other readers find in a telemetry CSV: the csv module row by row, and pandas."""

import csv
import json
import sys

import pandas

path = sys.argv[1]
with open(path, newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
frame = pandas.read_csv(path, dtype={"run_id": str})
done = frame[frame["status"] == "DOWNLOADED"]
print(
    json.dumps(
        {
            "rows": rows,
            "pandas": {
                "columns": list(frame.columns),
                "rows": len(frame),
                "records": int(done["records_downloaded"].sum()),
                "days": sorted(set(frame["chunk_date_utc"])),
            },
        }
    )
)
