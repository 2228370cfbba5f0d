/* SPDX-License-Identifier: MIT */
/* Lines for the caller's log, and progress with cancellation. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void sv_logf(const sv_log *log, svlm_log_level level, const char *fmt, ...)
{
    if (!log || !log->fn)
        return;
    char line[500];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    log->fn(log->user, level, line);
}

svlm_status sv_report(const sv_progress *p, svlm_stage stage, int done, int total, svlm_error *err)
{
    if (p && p->fn && p->fn(p->user, stage, done, total))
        return sv_fail(err, SVLM_ERR_CANCELLED, "cancelled by the progress callback");
    return SVLM_OK;
}
