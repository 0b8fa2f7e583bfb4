"""What `clipsim run | train | encode | score | search | graph | fetch` do.

A command is a function that returns its exit status; its signature is its options. The modules
import rooms only, whose files load when a command first uses them, so that `--help` is at once.
"""
