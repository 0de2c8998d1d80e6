# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lit configuration; test/CMakeLists.txt writes the site files, one for each LLVM version."""
import os
import shutil
import subprocess
import sys

import lit.formats

config.name = f"cell-llvm-{config.cell_llvm}"
config.test_format = lit.formats.ShTest(execute_external=True)
config.suffixes = [".c", ".cpp", ".test"]
config.excludes = ["checker", "Inputs", "unit", "fuzz", "conformance", "hot", "power"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.cell_build, "test", f"llvm-{config.cell_llvm}")

llvm = config.cell_llvm
tools = f"/usr/lib/llvm-{config.cell_main_llvm}/bin"
inputs = os.path.join(config.test_source_root, "Inputs")
include = os.path.join(config.cell_source, "include")
plugin = os.path.join(config.cell_build, "lib", f"llvm-{llvm}", "libcellplugin.so")
with_plugin = f"-fplugin={plugin} -I{include}"

config.environment["PATH"] = os.pathsep.join([tools, os.environ["PATH"]])
config.environment["LD_LIBRARY_PATH"] = os.path.join(config.cell_build, "lib")
config.environment["PYTHONDONTWRITEBYTECODE"] = "1"
# Tests have sockets in folders of their own; those of trust set this anew.
known_cells = os.path.join(config.test_exec_root, "known-cells")
os.makedirs(config.test_exec_root, exist_ok=True)
with open(known_cells, "w", encoding="utf-8") as f:
    f.write("folder\t/\n")
config.environment["CELL_KNOWN_CELLS"] = known_cells
for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR", "CELL_TEST_POSTGRES"):
    if name in os.environ and name != "XDG_RUNTIME_DIR":
        config.environment[name] = os.environ[name]

config.available_features.add(f"llvm-{llvm}")
if llvm == config.cell_main_llvm:
    config.available_features.add("main-llvm")


def feature(name, present):
    if present:
        config.available_features.add(name)
    else:
        lit_config.note(f"tests that need {name} are unsupported: it is not installed")


def has_eglot():
    """Emacs, from 29 on with eglot, before with the package of it."""
    command = ["emacs", "--batch", "--eval", "(unless (locate-library \"eglot\") (package-initialize))",
               "--eval", "(kill-emacs (if (locate-library \"eglot\") 0 1))"]
    return shutil.which("emacs") and subprocess.run(command, capture_output=True).returncode == 0


feature("clang-tidy", shutil.which(f"clang-tidy-{llvm}"))
feature("clang-apply-replacements", shutil.which(f"clang-apply-replacements-{llvm}"))
feature("clangd", shutil.which(f"clangd-{llvm}"))
if llvm == config.cell_main_llvm:
    feature("neovim", shutil.which("nvim"))
    feature("emacs", has_eglot())
feature("gdb", shutil.which("gdb"))
feature("strace", shutil.which("strace"))
feature("git", shutil.which("git"))
feature("chromium", shutil.which("chromium") and shutil.which("chromedriver"))
feature("ccache", shutil.which("ccache"))
feature("make", shutil.which("make"))
feature("ninja", shutil.which("ninja"))
feature("systemd-analyze", shutil.which("systemd-analyze"))
feature("cmake", shutil.which("cmake"))
feature("pkg-config", shutil.which("pkg-config"))
feature("clang-format", shutil.which("clang-format-19") and shutil.which("git"))
feature("sqlite-source", bool(config.cell_sqlite_source))
pg_cluster = f"{sys.executable} {inputs}/pg_cluster.py"
# Without libpq there is no cell; without initdb nothing to run it on.
postgres = subprocess.run(f"{pg_cluster} --find", shell=True, capture_output=True, text=True).stdout.strip()
prelude_schema = "/usr/share/libpreludedb/classic/pgsql.sql"
feature("prelude-schema", os.path.exists(prelude_schema))
feature("postgres", postgres and os.path.exists(os.path.join(config.cell_build, "bin", "postgres")))
feature("store", os.path.exists(os.path.join(config.cell_build, "bin", "store")))
feature("analytics", os.path.exists(os.path.join(config.cell_build, "bin", "analytics")))
feature("search", os.path.exists(os.path.join(config.cell_build, "bin", "search")))
feature("wordnet", os.path.exists("/usr/share/wordnet/data.noun"))
feature("celldisk", os.path.exists(os.path.join(config.cell_build, "test", "power", "disk_state")))
if os.geteuid() == 0:
    config.available_features.add("root")

for key, value in [
    ("%clangxx_cell", f"clang++-{llvm} {with_plugin}"),
    ("%clang_cell", f"clang-{llvm} {with_plugin}"),
    ("%clangxx", f"clang++-{llvm}"),
    ("%clang_tidy", f"clang-tidy-{llvm}"),
    ("%clangd", f"clangd-{llvm}"),
    ("%clang", f"clang-{llvm}"),
    ("%plugin", plugin),
    ("%include", include),
    ("%libdir", os.path.join(config.cell_build, "lib")),
    ("%bin", os.path.join(config.cell_build, "bin")),
    ("%builddir", config.cell_build),
    ("%cell", os.path.join(config.cell_build, "bin", "cell")),
    ("%source", config.cell_source),
    ("%inputs", inputs),
    ("%python", sys.executable),
    ("%fakecell", f"{sys.executable} {inputs}/fake_cell.py"),
    ("%withcell", f"{sys.executable} {inputs}/run_with_cell.py"),
    # A server for one test, and one with the postgres cell on it (--socket PATH must follow); see pg_cluster.py
    ("%pgcluster", f"{pg_cluster} --template {config.cell_build}/test/pg-template"),
    ("%pgcell", f"{pg_cluster} --template {config.cell_build}/test/pg-template --cell {config.cell_build}/bin/postgres"),
    # The search cell likewise: it finds other cells by cell.json.
    ("%searchcell", f"{sys.executable} {inputs}/run_with_cell.py --socket run/search.sock --keep-log search.log "
     f"{config.cell_build}/bin/search --address unix:run/search.sock --folder indexes"),
    # The store cell, with its socket and its records in the working folder, while a command runs: `%storecell -- COMMAND`.
    ("%storecell", f"{sys.executable} {inputs}/run_with_cell.py --socket run/store.sock --keep-log store.log "
     f"{config.cell_build}/bin/store --address unix:run/store.sock --folder data"),
    # And the ledger.
    ("%ledgercell", f"{sys.executable} {inputs}/run_with_cell.py --socket run/ledger.sock --keep-log ledger.log "
     f"{config.cell_build}/bin/ledger --address unix:run/ledger.sock --folder data --segment-size 2"),
    ("%prelude_schema", prelude_schema),
    ("%pgbin", postgres or "/nonexistent"),
    ("%sqlite_source", config.cell_sqlite_source or "/nonexistent"),
    ("%llvm", llvm),
]:
    config.substitutions.append((key + r"\b", value))
