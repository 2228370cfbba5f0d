/* SPDX-License-Identifier: MIT */
/* Lines for the caller's log, and progress with cancellation. */
#ifndef SV_LOG_H
#define SV_LOG_H

#include "base/status.h"

typedef struct sv_log { svlm_log_fn fn; void *user; } sv_log;
typedef struct sv_progress { svlm_progress_fn fn; void *user; } sv_progress;

/* Nothing when log or its function is NULL. */
void sv_logf(const sv_log *log, svlm_log_level level, const char *fmt, ...) SV_PRINTF(3, 4);

/* SVLM_ERR_CANCELLED, with a sentence in err, when the callback says so. */
svlm_status sv_report(const sv_progress *p, svlm_stage stage, int done, int total, svlm_error *err);

#endif
