"""The file that figures are kept in, of which the plots are made: what is measured again takes the place of what was there."""
import json
import pathlib

from processes import machine


def read(path):
    path = pathlib.Path(path)
    return json.loads(path.read_text()) if path.exists() else {}


def keep(path, section, result, identity=None):
    """In `section`, instead of what agrees with `result` in the keys `identity`; the whole section where there are none."""
    kept = read(path)
    kept["machine"] = machine()
    if identity is None:
        kept[section] = result
    else:
        others = [other for other in kept.get(section, []) if any(other[key] != result[key] for key in identity)]
        kept[section] = others + [result]
    pathlib.Path(path).write_text(json.dumps(kept, indent=1) + "\n")
