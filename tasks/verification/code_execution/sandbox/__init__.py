"""Runs untrusted Python programs so that they do no harm.

`sandbox` starts a supervisor and sends it programs, `supervisor` forks for each program and watches it,
`program_process` runs in the fork, `seccomp_landlock` isolates it before the program is compiled, and `results`
classifies how a program ended. `call_server` calls functions of a program, `test_runner` runs unit tests in a fork of
their own that makes such calls, and `plain_data` is what passes between them. `guard` keeps a checker program from
running text as Python, for which `arithmetic` is the substitute.

What is covered:

- Network: a call that opens a socket ends the program.
- Processes: a program cannot start a process or thread, or signal another process. It ends with its supervisor.
- Files: a program can open files in an empty folder of its own, which is removed afterwards, and can read the folders
  of the interpreter and the libraries. Everything else is refused: other files, folders, links, devices, changes of
  modes and owners.
- Time, memory and output: `results.Limits` bounds wall time, CPU time, memory and output.
- Disk: a file has at most 4 MiB, at most 32 are open at a time, and a program whose folder exceeds 256 files or 16 MiB
  is ended.
- Secrets: a program has no environment variables and no input but what it is given, and sees neither other programs
  nor their files, nor the unit tests that call it.
- Checks: canaries try to break out before the first program runs. If the kernel lacks Landlock or seccomp, nothing
  runs, unless `unsafe` is set.

What is not covered:

- Faults of the kernel, of Landlock or of seccomp, and side channels such as timing and caches: the program runs on the
  same kernel as everything else. There is no virtual machine.
- File names: a program can ask for the size, owner and times of any path, but not for its contents.
- Installed packages: a program can read everything installed next to a library that it may import.
- Load: a program may use a whole core and all of its memory until its limits end it, and the folder is measured only
  every 0.1 s. The caller decides how many programs run at a time.
- Honesty: a program may print an answer that it did not compute, and may lie about what it raised. It cannot lie about
  having been isolated.
- Systems other than Linux on x86_64 and aarch64: nothing runs there.
- `unsafe`: what the kernel does not offer is not enforced. Only time, memory and output remain bounded.
"""
