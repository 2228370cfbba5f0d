/* SPDX-License-Identifier: MIT */
/* Parallel loops; threads.c is the only file that knows OpenMP. */
#ifndef SV_THREADS_H
#define SV_THREADS_H

/* task: 0..n_tasks-1, each run once; thread: 0..n_threads-1, for scratch memory. */
typedef void (*sv_task_fn)(void *arg, int task, int thread);

/* Runs all tasks on up to n_threads threads, handing them out as threads become
 * free, and returns when all are done. Tasks write disjoint results, so the
 * outcome does not depend on the number of threads. Inside a task it runs
 * serially. n_threads < 1 counts as 1. */
void sv_parallel(int n_threads, int n_tasks, sv_task_fn fn, void *arg);

/* n_threads, or 1 where so little work (multiply-accumulates, roughly) is done sooner
 * than another thread wakes up; on a busy machine that can take milliseconds. */
int sv_threads_for(int n_threads, double work);

/* Cores this process may use (affinity respected), at least 1. */
int sv_threads_available(void);

#endif
