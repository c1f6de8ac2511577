"""Stands in for torchrun: runs the module it is told, once."""

import runpy
import sys

words = sys.argv[1:]
while words and words[0] != "-m":
    words.pop(0)
sys.argv = words[1:]
runpy.run_module(words[1], run_name="__main__", alter_sys=True)
