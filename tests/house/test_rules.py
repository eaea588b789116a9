# SPDX-License-Identifier: GPL-3.0-or-later
"""House rules that a reader can check line by line: no function over 60 lines, no table sized by a validation bound, no question after a
radio backend's name outside hw/radio.c and the configuration, every source with its licence line, every paper cited by a name that
docs/references.md has. Prints lines per room."""
import pathlib
import re
import sys

ROOMS = ("ap_node", "calib", "common", "cpu_node", "fronthaul", "hw", "node", "tools", "ue_node")
LONGEST = 60
BOUND_ARRAY = re.compile(r"\[[^\]]*\bTUTTI_MAX_(AP|UE|STREAM)\b[^\]]*\]")
BACKEND = re.compile(r'strcmp\([^)]*(backend|"air"|"uhd"|"file")')


CITED = re.compile(r"\[([A-Z][a-z]+ (?:19|20)\d\d)\]")
NOWHERE = re.compile(r"\b(spec (ob|ppzf|spzf|rlspa|isac|\d)|papers? 00\d)", re.I)


def examine_citations(name, text, known):
    for number, line in enumerate(text.splitlines(), 1):
        for cited in CITED.findall(line):
            if cited not in known:
                yield f"{name}:{number}: cites [{cited}], which docs/references.md has not"
        if NOWHERE.search(line):
            yield f"{name}:{number}: cites what is not in this repository: {line.strip()}"


def functions(lines):
    """(first line, last line) of every function body: braces in the first column, as the formatter puts them."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            yield start, number
            start = None


def code_only(text):
    """Comments blanked, line numbers kept."""
    return re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), text, flags=re.S)


def examine(path, name, text):
    lines = text.splitlines()
    for first, last in functions(lines):
        if last - first - 1 > LONGEST:
            yield f"{name}:{first}: a function of {last - first - 1} lines, at most {LONGEST}"
    for number, line in enumerate(code_only(text).splitlines(), 1):
        if BOUND_ARRAY.search(line) and not name.startswith("tests/"):
            yield f"{name}:{number}: a table sized by a validation bound: {line.strip()}"
        if BACKEND.search(line) and name not in ("hw/radio.c",) and not name.startswith(("common/base/config", "tests/")):
            yield f"{name}:{number}: asks for a backend's name: {line.strip()}"
    if "SPDX-License-Identifier: GPL-3.0-or-later" not in lines[0]:
        yield f"{name}:1: no licence line"


def room_of(name):
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0] in ("common", "tools", "hw", "cpu_node") and len(parts) > 2 else parts[0]


def main():
    root = pathlib.Path(sys.argv[1])
    wrong, count, files, longest = [], {}, {}, (0, "")
    for top in ROOMS + ("tests",):
        for path in sorted((root / top).rglob("*.[ch]")):
            name, text = str(path.relative_to(root)), path.read_text()
            wrong += examine(path, name, text)
            count[room_of(name)] = count.get(room_of(name), 0) + text.count("\n")
            files[room_of(name)] = files.get(room_of(name), 0) + 1
            for first, last in functions(text.splitlines()):
                longest = max(longest, (last - first - 1, f"{name}:{first}"))
    known = set(CITED.findall((root / "docs/references.md").read_text()))
    for path in sorted(p for top in ROOMS + ("tests", "docs") for p in (root / top).rglob("*") if p.suffix in (".c", ".h", ".py", ".md")):
        wrong += examine_citations(str(path.relative_to(root)), path.read_text(), known) if path.name != "test_rules.py" else []
    for room in sorted(count):
        print(f"{room:24} {files[room]:4} files {count[room]:6} lines")
    print(f"longest function: {longest[0]} lines, {longest[1]}")
    for line in wrong:
        print(line)
    sys.exit(f"{len(wrong)} rules broken" if wrong else 0)


main()
