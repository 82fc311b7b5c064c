#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program of two compilers: what g++ made for the CPU is what runs there, whatever nvcc made of the same sources.

    one_binary.py PROGRAM OBJECTS      OBJECTS are the files it was linked from, separated by colons

Inline functions that both compilers emit under one name are merged, and link order picks the body. So neither may emit
what is the other's, and what they share may hold nothing that only one of them turns into vector code.
"""
import re
import shutil
import subprocess
import sys
import unittest

HALVES = {"host": [], "nvcc": []}  # object files by the namespace of their compiler
PROGRAM = None
PACKED_ARITHMETIC = re.compile(r"v?(add|sub|mul|div|max|min|sqrt|fn?m(add|sub)\d*)p[sd]$")
PADDING = re.compile(r"nop|data16|cs$|xchg|int3")  # between functions


def lines_of(*command, text=None):
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.splitlines()


def defined(objects):
    """The names of the functions and objects that the files define for others, as the linker knows them."""
    found = set()
    for name in objects:
        symbols = (line.split() for line in lines_of("nm", "--defined-only", "--extern-only", "--format=posix", name))
        found |= {symbol[0] for symbol in symbols if len(symbol) > 2}
    return found


def readable(names):
    """Linker's name -> name as it is written."""
    names = sorted(names)
    return dict(zip(names, lines_of("c++filt", text="\n".join(names) + "\n")))


def instructions(file, wanted):
    """The instructions of the functions of these names in a file: name -> mnemonics."""
    found, body = {}, None
    for line in lines_of("objdump", "--disassemble", "--no-show-raw-insn", "--no-addresses", file):
        if start := re.match(r"<(.*)>:$", line):
            body = found.setdefault(start[1], []) if start[1] in wanted else None
        elif body is not None and line.startswith((" ", "\t")):
            mnemonic = line.split()[0]
            if not PADDING.match(mnemonic):
                body.append(mnemonic)
    return found


def packed(body):
    return [mnemonic for mnemonic in body if PACKED_ARITHMETIC.match(mnemonic)]


class OneBinary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.names = {half: readable(defined(objects)) for half, objects in HALVES.items()}
        cls.shared = {mangled: name for mangled, name in cls.names["host"].items() if mangled in cls.names["nvcc"]}
        cls.ours = {mangled: name for mangled, name in cls.shared.items() if re.match(r"([^(]* )?dinomaly::", name)}
        cls.kernels = {mangled: name for mangled, name in cls.names["host"].items()
                       if re.search(r"\bdinomaly::host::backend::tile<", name)}
        cls.compiled = {}  # by the host's compiler
        for file in HALVES["host"]:
            cls.compiled |= instructions(file, cls.ours | cls.kernels)

    def test_each_half_keeps_to_its_namespace(self):
        for half, other in (("host", "nvcc"), ("nvcc", "host")):
            names = self.names[half].values()
            self.assertTrue(any(f"dinomaly::{half}::" in name for name in names))
            self.assertEqual([name for name in names if f"dinomaly::{other}::" in name], [])

    def test_both_halves_mean_the_same_types(self):
        for name in ("typeinfo for dinomaly::Error", "typeinfo for dinomaly::program::AnyModel",
                     "typeinfo for dinomaly::program::AnyTraining", "dinomaly::ModelInfo::~ModelInfo()",
                     "dinomaly::io::StateDict::~StateDict()"):
            self.assertIn(name, self.shared.values())

    def test_what_is_shared_holds_no_vector_code(self):
        self.assertGreater(len(self.ours), 50)
        self.assertEqual([name for mangled, name in self.ours.items() if packed(self.compiled.get(mangled, []))], [])

    def test_the_products_are_the_host_compiler_s(self):
        linked = instructions(PROGRAM, self.kernels)
        self.assertEqual(linked.keys(), self.kernels.keys())
        for mangled, body in linked.items():
            self.assertEqual(body, self.compiled[mangled], mangled)
        self.assertTrue(any(len(packed(body)) > 8 for body in linked.values()), "no kernel adds up packets")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} PROGRAM OBJECTS [unittest's options]")
    PROGRAM = sys.argv.pop(1)
    for file in sys.argv.pop(1).split(":"):
        HALVES["nvcc" if file.endswith((".cu.o", ".cu.obj")) else "host"].append(file)
    if not all(map(shutil.which, ("nm", "objdump", "c++filt"))):
        sys.exit(77)
    unittest.main()
