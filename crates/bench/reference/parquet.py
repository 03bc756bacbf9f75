"""NDJSON to Parquet (zstd) by duckdb or chdb, on one thread.

Arguments: the engine, the lines, the file to write, and {field: "integer" | "float" | "boolean" | "string"} as JSON.
Prints {"version", "seconds", "rows", "sum"}; the sum is of the column "temperature", read back from the file that was written.
"""

import json
import sys
import time

engine, source, target, columns = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])

if engine == "duckdb":
    import duckdb

    types = {"integer": "BIGINT", "float": "DOUBLE", "boolean": "BOOLEAN", "string": "VARCHAR"}
    given = ", ".join(f"'{name}': '{types[kind]}'" for name, kind in columns.items())
    connection = duckdb.connect(config={"threads": 1})
    version = duckdb.__version__

    def write(source, target):
        lines = f"read_json('{source}', format = 'newline_delimited', columns = {{{given}}})"
        connection.execute(f"COPY (SELECT * FROM {lines}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")

    def read(target):
        return connection.execute(f"SELECT count(*), sum(temperature) FROM read_parquet('{target}')").fetchone()

else:
    import chdb.session

    types = {"integer": "Int64", "float": "Float64", "boolean": "Bool", "string": "String"}
    given = ", ".join(f"{name} {types[kind]}" for name, kind in columns.items())
    session = chdb.session.Session()
    version = session.query("SELECT version()", "TSV").data().strip()
    settings = (
        "max_threads = 1, max_insert_threads = 1, input_format_parallel_parsing = 0, "
        "output_format_parquet_compression_method = 'zstd', output_format_parquet_parallel_encoding = 0, "
        "engine_file_truncate_on_insert = 1"
    )

    def write(source, target):
        lines = f"file('{source}', 'JSONEachRow', '{given}')"
        session.query(f"INSERT INTO FUNCTION file('{target}', 'Parquet', '{given}') SELECT * FROM {lines} SETTINGS {settings}")

    def read(target):
        told = session.query(f"SELECT count(), sum(temperature) FROM file('{target}', 'Parquet')", "TSV").data()
        return told.split()


# Libraries, parsers and allocators are warm then.
with open(source) as lines, open(target + ".few", "w") as few:
    few.writelines(line for line, _ in zip(lines, range(1_000)))
write(target + ".few", target + ".warm")

begun = time.perf_counter()
write(source, target)
seconds = time.perf_counter() - begun
rows, total = read(target)
print(json.dumps({"version": version, "seconds": seconds, "rows": int(rows), "sum": float(total)}))
