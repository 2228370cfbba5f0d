/* SPDX-License-Identifier: MIT */
/* A system that interrupts every other read, gives fewer bytes than were asked for, and
 * fails once: made of seccomp, so that the reads under test are the real ones. */
#ifndef SV_INTERRUPT_H
#define SV_INTERRUPT_H

/* Where this returns 0 the system, or the processor, is none that it knows how to use. */
int interrupt_works(void);

/* Runs a function in a child process. Every other read of the file at path is interrupted
 * (EINTR) and the rest come short, but number fail_at of those, counted from 0, fails with
 * EIO (-1: none). What the function returned, 0 to 100; a crash is a test that fails. */
int interrupt_run(const char *path, int fail_at, int (*run)(const char *path));

#endif
