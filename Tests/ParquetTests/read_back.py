"""Reads a Parquet file with pyarrow and DuckDB and compares every value with what the test says it wrote."""
import json, struct, sys
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

path, expected_path = sys.argv[1:]
expected = json.load(open(expected_path))
file = pq.ParquetFile(path)
table = file.read()
assert table.num_columns == len(expected), (table.num_columns, len(expected))
db = duckdb.sql(f"select * from '{path}'")
assert db.columns == table.column_names
rows = db.fetchall() if table.num_rows else []


def text(type_, value):
    if value is None:
        return None
    if pa.types.is_boolean(type_):
        return "true" if value else "false"
    if pa.types.is_floating(type_):
        return str(struct.unpack("<Q", struct.pack("<d", value))[0])
    if pa.types.is_decimal(type_):
        return str(int(value.scaleb(type_.scale, context=__import__("decimal").Context(prec=60))))
    return str(value)


for index, (name, want) in enumerate(zip(table.column_names, expected)):
    field = table.schema.field(index)
    assert field.nullable == name.endswith("?"), name
    column = table.column(index)
    raw = column.cast(pa.int64()) if pa.types.is_timestamp(field.type) else column
    got = [text(field.type, value) for value in raw.to_pylist()]
    assert got == want, (name, [(a, b) for a, b in zip(got, want) if a != b][:3])
    if pa.types.is_timestamp(field.type):
        assert field.type == pa.timestamp("us", tz="UTC"), field.type
    else:
        other = [text(field.type, row[index]) for row in rows]
        assert other == want, ("duckdb", name, [(a, b) for a, b in zip(other, want) if a != b][:3])
    # Statistics must bound the values, and count the nulls.
    start = 0
    for group in range(file.metadata.num_row_groups):
        chunk = file.metadata.row_group(group).column(index)
        part = raw.slice(start, chunk.num_values)
        start += chunk.num_values
        assert chunk.statistics.null_count == part.null_count, name
        if chunk.statistics.has_min_max and not pa.types.is_timestamp(field.type):
            values = [value for value in part.to_pylist() if value is not None]
            low, high = chunk.statistics.min, chunk.statistics.max
            key = (lambda v: v.encode()) if pa.types.is_string(field.type) else (lambda v: v)
            assert key(low) <= min(map(key, values)) and max(map(key, values)) <= key(high), (name, low, high)
        elif not chunk.statistics.has_min_max:
            assert part.null_count == len(part) or pa.types.is_string(field.type), name

# A filter on each integer value that is there must find it through dictionaries, statistics and page indexes.
for name in ("int64", "string"):
    for value in set(table.column(name).to_pylist()[:5]):
        want = table.column(name).to_pylist().count(value)
        found = duckdb.execute(f"select count(*) from '{path}' where \"{name}\" = ?", [value]).fetchone()[0]
        assert found == want, (name, value, found, want)
        assert pq.read_table(path, filters=[(name, "=", value)]).num_rows == want
