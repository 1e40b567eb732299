"""Runs Python programs that nobody has read so that they do no harm.

`sandbox` starts a supervisor and asks it, `supervisor` forks for each program and watches, `program_process` is the
fork, `seccomp_landlock` shuts it in before the program's text is compiled, and `results` names how a program ended.

What is covered:

- Network: a call that opens a socket ends the program.
- Processes: it starts no process and no thread, and signals no other. It dies with its supervisor.
- Files: it opens files in an empty folder of its own, which is removed afterwards, and reads the interpreter's and the
  libraries' folders. Everything else is refused: other files, folders, links, devices, changes of modes and owners.
- Time, memory and output: `results.Limits` bounds its wall time, its CPU time, its memory and what it prints.
- Disk: a file has at most 4 MiB, 32 are open at a time, and a program whose folder has more than 256 files or 16 MiB
  is ended.
- Secrets: it has no environment variables and no input, and sees neither another program nor what one left.
- Promises are checked: canaries try to break out before the first program runs. Where the kernel lacks Landlock or
  seccomp, nothing runs, unless `unsafe` is set.

What is not covered:

- Faults of the kernel, of Landlock or of seccomp, and what can be learned from time and caches: the program runs on
  the same kernel as everything else. There is no virtual machine.
- Names of files: it can ask for the size, owner and times of any path, though not for what is in it.
- Installed packages: it reads all that is installed beside a library that it may import.
- Load: it may use a whole core and all of its memory until its limits end it, and the folder is measured only every
  0.1 s. How many programs run at a time is the caller's affair.
- Honesty: a program may print an answer that it did not compute, and may lie about what it raised. It cannot lie about
  having been contained.
- Systems other than Linux on x86_64 and aarch64: nothing runs there.
- `unsafe`: what the kernel does not offer is then not enforced. Only time, memory and output remain bounded.
"""
