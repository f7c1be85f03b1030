"""What a flow process may see and do, kept by the kernel. Nothing here trusts Python to keep a script in.

`namespaces` and `root` build the surroundings once, for the zygote; `cage` puts each child into its own
corner of them, with `identity`, `limits`, `landlock` and `seccomp`. What a machine does not permit is left
out, and reported.
"""
