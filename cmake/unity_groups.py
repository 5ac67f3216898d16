#!/usr/bin/env python3
"""Writes the files that compile several source files of a target as one; prints a line for each.

    unity_groups.py ROOT DIRECTORY FILE...

Half of what a compiler does for one of our files is to read the same headers again, so the builds of CI compile several
files as one. What a file keeps to itself (an unnamed namespace, its own aliases and macros) must then not meet another
file's words: two files share a group only if neither says a word that the other declares for itself. So a call cannot
quietly find another file's function, and nothing has to be renamed for the sake of a faster build.

The files name their parts from ROOT, so that clones of the repository share what a compiler's cache holds.
"""
import os
import re
import sys

FILES_MAX = 12
BYTES_MAX = 90_000

NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|R"([A-Za-z_]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
DIGITS = re.compile(r"(?<=\d)'(?=\d)")
WORD = re.compile(r"[A-Za-z_]\w*")
UNQUALIFIED = re.compile(r"(?<![\w.:>])[A-Za-z_]\w*|(?<=[^-]>)[A-Za-z_]\w*|(?<=[^:]:)[A-Za-z_]\w*|(?<=\.\.)[A-Za-z_]\w*")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
MACRO = re.compile(r"^\s*#\s*define\s+(\w+)", re.MULTILINE)
DIRECTIVE = re.compile(r"^\s*#(?:[^\n\\]|\\\n|\\.)*", re.MULTILINE)
USING = re.compile(r"(?:using|namespace)\s+(?:(?P<alias>\w+)\s*=|(?:\w+::)*(?P<name>\w+)$)")
TEST = re.compile(r"(TEST|TEST_F|TEST_P|INSTANTIATE_TEST_SUITE_P)\s*\(")  # makes a name that no other file has
TYPE = re.compile(r"(?:template\s*<.*?>\s*)?(?:struct|class|union|enum(?:\s+class)?)\s+(?:\[\[.*?\]\]\s*)?(\w+)")
KEYWORDS = set("if for while switch return sizeof decltype noexcept alignas operator requires explicit".split())


def declared(statement):
    """What a statement of a namespace declares, each word with what it means: files may share an alias they all have."""
    statement = " ".join(statement.split())
    if not statement or TEST.search(statement):
        return {}
    using = USING.match(statement)
    if using:
        return {using["alias"] or using["name"]: statement.replace(" ::", " ")}
    if statement.startswith("using namespace "):
        return {}
    return {word: None for word in named(statement)}


def named(statement):
    kind = TYPE.match(statement)
    if kind:
        return {kind[1]}
    head = re.split(r"[={]", statement, maxsplit=1)[0]
    call = next((one for one in re.finditer(r"(\w+)\s*\(", head) if one[1] not in KEYWORDS), None)
    if call:
        return {call[1]}
    values = re.findall(r"(\w+)\s*=(?!=)", statement)  # one statement may declare several
    words = WORD.findall(re.sub(r"\[.*?\]", "", head))
    return {*values, words[-1]} if words else set(values)


def own_words(text, everything=False):
    """What the file declares for itself: in unnamed namespaces, as aliases or static beside them. Or all that it does."""
    own = dict.fromkeys(MACRO.findall(text))
    text = DIRECTIVE.sub("", text)
    depth_of_namespaces, unnamed, start, at = [], 0, 0, 0
    while at < len(text):
        sign = text[at]
        if sign == "{":
            head = text[start:at].strip()
            space = re.search(r"(?:inline\s+)?namespace\s*([\w:]*)$", head)
            if space:
                depth_of_namespaces.append(space[1])
                unnamed += not space[1]
                start = at + 1
            else:
                inner, at = 1, at + 1
                while at < len(text) and inner:
                    inner += {"{": 1, "}": -1}.get(text[at], 0)
                    at += 1
                if everything or unnamed or re.match(r"static\b", head):
                    own |= declared(head + "{")
                rest = re.match(r"\s*;?", text[at:])
                # An initialiser's or a type's end; a function's has no semicolon.
                start = at + len(rest[0]) if rest[0].endswith(";") else at
                at = start
                continue
        elif sign == "}":
            if depth_of_namespaces:
                unnamed -= not depth_of_namespaces.pop()
            start = at + 1
        elif sign == ";":
            statement = text[start:at]
            if everything or unnamed or re.match(r"\s*(using|static|namespace)\b", statement):
                own |= declared(statement)
            start = at + 1
        at += 1
    return own


def text_of(path):
    with open(path, encoding="utf-8") as source:
        return NOISE.sub('""', DIGITS.sub("", source.read()))


class Headers:
    """The words of our headers and of those they include, and those they declare; each is read once."""

    def __init__(self, root):
        self.root = root
        self.known = {}

    def words_of(self, names):
        words, declared_words, seen, waiting = set(), set(), set(), list(names)
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name not in self.known:
                path = os.path.join(self.root, name)
                self.known[name] = self.look(path) if os.path.isfile(path) else (set(), set(), [])
            found, found_declared, included = self.known[name]
            words |= found
            declared_words |= found_declared
            waiting += included
        return words, declared_words

    @staticmethod
    def look(path):
        with open(path, encoding="utf-8") as source:
            included = INCLUDE.findall(source.read())
        text = text_of(path)
        return set(UNQUALIFIED.findall(DIRECTIVE.sub("", text))), set(own_words(text, everything=True)), included


class File:
    def __init__(self, path, headers):
        self.path = path
        text = text_of(path)
        self.size = os.path.getsize(path)
        self.words = set(UNQUALIFIED.findall(DIRECTIVE.sub("", text)))
        self.own = own_words(text)
        with open(path, encoding="utf-8") as source:
            self.header_words, self.header_declared = headers.words_of(INCLUDE.findall(source.read()))


def meet(one, other):
    """Whether a word that one declares for itself means something else in the other."""
    return any(word in other.words and (meaning is None or other.own.get(word) != meaning)
               or word in (other.header_words if meaning else other.header_declared) and word not in one.header_words
               for word, meaning in one.own.items())


def groups_of(files):
    groups = []
    for file in files:
        for group in groups:
            if len(group) < FILES_MAX and sum(one.size for one in group) + file.size <= BYTES_MAX and not any(
                    meet(file, one) or meet(one, file) for one in group):
                group.append(file)
                break
        else:
            groups.append([file])
    return groups


def write(path, text):
    """Only what is new, else all would be compiled again."""
    if os.path.isfile(path):
        with open(path, encoding="utf-8") as known:
            if known.read() == text:
                return
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def main():
    root, directory = sys.argv[1:3]
    headers = Headers(root)
    os.makedirs(directory, exist_ok=True)
    for number, group in enumerate(groups_of([File(path, headers) for path in sorted(sys.argv[3:])])):
        # clang's analyzer looks into the files that are included only when the one that includes them has this name.
        path = os.path.join(directory, f"UnifiedSource{number}.cpp")
        write(path, "".join(f'#include "{os.path.relpath(file.path, root)}"\n' for file in group))
        print(path)


if __name__ == "__main__":
    main()
