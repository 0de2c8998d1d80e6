# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The documents that utils/bench/search measures with: WordNet 3.0, as the Debian package wordnet-base has it.

Its data files are read (wndb(5WN)): one line for each sense, "OFFSET FILE TYPE COUNT WORD ID WORD ID … | GLOSS", where
COUNT is in hexadecimal and the words of an expression stand with underlines between them. Lines of the licence begin
with two spaces.
"""
import os

FOLDER = "/usr/share/wordnet"
PACKAGE = "wordnet-base"
KINDS = ("noun", "verb", "adj", "adv")


def read_senses(lines):
    """(offset, its words, its gloss) of each sense."""
    for line in lines:
        if line.startswith("  "):
            continue
        head, _, gloss = line.partition(" | ")
        offset, _, _, count, *words = head.split(" ")
        words = words[:2 * int(count, 16):2]
        yield offset, ", ".join(word.replace("_", " ") for word in words), " ".join(gloss.split())


def is_installed():
    return all(os.path.exists(os.path.join(FOLDER, f"data.{kind}")) for kind in KINDS)


def write_documents(path, every=1):
    """One a line, "KEY<tab>WORDS<tab>GLOSS<tab>KIND", and of all each `every`-th; how many there are."""
    n = 0
    with open(path, "w", encoding="utf-8") as out:
        for kind in KINDS:
            with open(os.path.join(FOLDER, f"data.{kind}"), encoding="utf-8") as f:
                for i, (offset, words, gloss) in enumerate(read_senses(f)):
                    if i % every == 0:
                        out.write(f"{kind}-{offset}\t{words}\t{gloss}\t{kind}\n")
                        n += 1
    return n
