/* SPDX-License-Identifier: MIT */
/* What every other header needs: export marks, status codes, the error
 * struct, options by size, and the two callbacks. */
#ifndef SPARSEVLM_TYPES_H
#define SPARSEVLM_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SVLM_API __attribute__((visibility("default")))
#else
#define SVLM_API
#endif

/* Clears an options struct and sets its size. Zero in any field is the
 * default, so fields can be appended without breaking compiled programs. */
#define SVLM_INIT(p) (memset((p), 0, sizeof *(p)), (void)((p)->size = sizeof *(p)))

typedef enum svlm_status {
    SVLM_OK = 0,
    SVLM_END = 1,                 /* not an error: the answer is complete      */
    SVLM_ERR_ARG = -1,            /* a caller's argument or option is invalid  */
    SVLM_ERR_NOMEM = -2,          /* an allocation failed                      */
    SVLM_ERR_IO = -3,             /* a file cannot be opened, read or written  */
    SVLM_ERR_FORMAT = -4,         /* a file is damaged or contradicts itself   */
    SVLM_ERR_UNSUPPORTED = -5,    /* well formed, but not something we can run */
    SVLM_ERR_LIMIT = -6,          /* larger than a documented or given limit   */
    SVLM_ERR_CONTEXT = -7,        /* the prompt does not fit the context       */
    SVLM_ERR_NUMERIC = -8,        /* NaN or infinity came out of the model     */
    SVLM_ERR_CANCELLED = -9,      /* a progress callback asked to stop         */
    SVLM_ERR_BUSY = -10,          /* the object is in use by another thread    */
    SVLM_ERR_HOOK = -11           /* a hook failed or returned invalid lists   */
} svlm_status;

/* Optional last argument of fallible functions, owned by the caller. On
 * failure it holds one sentence naming the file, tensor or option; untouched
 * on success. Control characters of names are escaped. */
typedef struct svlm_error {
    svlm_status status;
    char message[500];
} svlm_error;

/* A short English phrase for a status; never NULL. */
SVLM_API const char *svlm_strstatus(svlm_status status);

typedef enum svlm_log_level { SVLM_LOG_WARNING = 1, SVLM_LOG_INFO, SVLM_LOG_DEBUG } svlm_log_level;

/* Receives one line without a newline. May be called from any thread that
 * uses the model it was given to. It must not call back into the library. */
typedef void (*svlm_log_fn)(void *user, svlm_log_level level, const char *line);

typedef enum svlm_stage {
    SVLM_STAGE_LOAD = 1,          /* opening a model                   */
    SVLM_STAGE_ENCODE,            /* vision tower, unit: layers        */
    SVLM_STAGE_PREFILL            /* language model, unit: layers      */
} svlm_stage;

/* Called on the thread that called the library, between units of work. A
 * non-zero return cancels: the function in progress returns
 * SVLM_ERR_CANCELLED and leaves its object usable. It must return (no longjmp,
 * no exception) and must not call into the object in progress. */
typedef int (*svlm_progress_fn)(void *user, svlm_stage stage, int done, int total);

#ifdef __cplusplus
}
#endif
#endif
