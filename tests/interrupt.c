/* SPDX-License-Identifier: MIT */
#include "interrupt.h"

#include "check.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static struct {
    struct stat file;
    int fail_at, n_calls, n_reads;
} plan;

#ifdef __x86_64__
#define ARGUMENT(u, i) ((u)->uc_mcontext.gregs[(const int[]){ REG_RDI, REG_RSI, REG_RDX, REG_R10 }[i]])
#define RESULT(u) ((u)->uc_mcontext.gregs[REG_RAX])
#else
#define ARGUMENT(u, i) ((u)->uc_mcontext.regs[i])
#define RESULT(u) ((u)->uc_mcontext.regs[0])
#endif

/* The read as it was meant, by calls that the filter lets through. */
static long read_part(ucontext_t *u, int call, size_t most)
{
    struct iovec to = { (void *)ARGUMENT(u, 1), (size_t)ARGUMENT(u, 2) };
    to.iov_len = to.iov_len < most ? to.iov_len : most;
    long n = call == SYS_read ? syscall(SYS_readv, (int)ARGUMENT(u, 0), &to, 1)
                              : syscall(SYS_preadv, (int)ARGUMENT(u, 0), &to, 1, ARGUMENT(u, 3), 0);
    return n < 0 ? -errno : n;
}

static void on_read(int number, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    struct stat st;
    int before = errno;
    (void)number;
    int is_file = !fstat((int)ARGUMENT(u, 0), &st) && st.st_dev == plan.file.st_dev &&
                  st.st_ino == plan.file.st_ino;
    if (!is_file)
        RESULT(u) = read_part(u, info->si_syscall, SIZE_MAX);
    else if (plan.n_calls++ % 2 == 0)
        RESULT(u) = -EINTR;
    else if (plan.n_reads++ == plan.fail_at)
        RESULT(u) = -EIO;
    else
        RESULT(u) = read_part(u, info->si_syscall, 1 + (size_t)plan.n_reads * 977 % 5000);
    errno = before;
}

/* From here on, and for good, each read and pread of this process is a SIGSYS. */
static int set_trap(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pread64, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof rules / sizeof *rules, rules };
    struct sigaction action = { .sa_sigaction = on_read, .sa_flags = SA_SIGINFO };
    return !sigaction(SIGSYS, &action, NULL) && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

enum { NO_TRAP = 101 };

static int in_child(const char *path, int fail_at, int (*run)(const char *path))
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        plan.fail_at = fail_at;
        _exit(stat(path, &plan.file) || !set_trap() ? NO_TRAP : run(path));
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status))
        fail_msg("%s: the child ended with signal %d", path, WTERMSIG(status));
    return WEXITSTATUS(status);
}

static int read_something(const char *path)
{
    char c;
    (void)path;
    return read(-1, &c, 1) == -1 && errno == EBADF ? 0 : NO_TRAP;
}

int interrupt_works(void)
{
    return in_child("/", -1, read_something) == 0;
}

int interrupt_run(const char *path, int fail_at, int (*run)(const char *path))
{
    return in_child(path, fail_at, run);
}

#else

int interrupt_works(void)
{
    return 0;
}

int interrupt_run(const char *path, int fail_at, int (*run)(const char *path))
{
    (void)path;
    (void)fail_at;
    (void)run;
    return -1;
}

#endif
