/* SPDX-License-Identifier: MIT */
/* Parallel loops: the only file that knows OpenMP. */
#include "base/threads.h"

#include <sched.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif

void sv_parallel(int n_threads, int n_tasks, sv_task_fn fn, void *arg)
{
#ifdef _OPENMP
    if (n_threads > n_tasks)
        n_threads = n_tasks;
    if (n_threads < 1)
        n_threads = 1;
    if (!omp_get_level()) {
#pragma omp parallel num_threads(n_threads)
        {
            /* For these threads in this region only: a BLAS that they call stays on
             * its thread, also when the region has a single one. */
            omp_set_num_threads(1);
#pragma omp for schedule(dynamic, 1)
            for (int i = 0; i < n_tasks; i++)
                fn(arg, i, omp_get_thread_num());
        }
        return;
    }
#endif
    (void)n_threads;
    for (int i = 0; i < n_tasks; i++)
        fn(arg, i, 0);
}

int sv_threads_for(int n_threads, double work)
{
    return work < 5e5 ? 1 : n_threads;          /* some ten microseconds of one core */
}

int sv_threads_available(void)
{
#ifdef CPU_COUNT
    cpu_set_t set;
    if (!sched_getaffinity(0, sizeof set, &set) && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}
