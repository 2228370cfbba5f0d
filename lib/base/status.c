/* SPDX-License-Identifier: MIT */
/* Failure: one status for the program, one sentence for the user. */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

const char *svlm_strstatus(svlm_status status)
{
    switch (status) {
    case SVLM_OK: return "success";
    case SVLM_END: return "the answer is complete";
    case SVLM_ERR_ARG: return "invalid argument";
    case SVLM_ERR_NOMEM: return "out of memory";
    case SVLM_ERR_IO: return "input or output error";
    case SVLM_ERR_FORMAT: return "damaged file";
    case SVLM_ERR_UNSUPPORTED: return "not supported";
    case SVLM_ERR_LIMIT: return "limit exceeded";
    case SVLM_ERR_CONTEXT: return "does not fit the context";
    case SVLM_ERR_NUMERIC: return "not a finite number";
    case SVLM_ERR_CANCELLED: return "cancelled";
    case SVLM_ERR_BUSY: return "in use by another thread";
    case SVLM_ERR_HOOK: return "hook failed";
    }
    return "unknown status";
}

void sv_escape(char *out, size_t cap, const char *in)
{
    const uint8_t *s = (const uint8_t *)in;
    size_t left = strlen(in), used = 0;
    while (left) {
        uint32_t code;
        int n = sv_utf8_decode(s, left, &code);
        int plain = n > 0 && code >= 0x20 && code != 0x7f && !(code >= 0x80 && code < 0xa0);
        size_t need = plain ? (size_t)n : 4;
        if (used + need + 1 > cap)
            break;
        if (plain)
            memcpy(out + used, s, need);
        else
            snprintf(out + used, 5, "\\x%02x", (unsigned)*s);
        used += need;
        n = plain ? n : 1;
        s += n;
        left -= (size_t)n;
    }
    out[used] = 0;
}

svlm_status sv_fail(svlm_error *err, svlm_status status, const char *fmt, ...)
{
    if (!err)
        return status;
    char text[2 * sizeof err->message];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err->status = status;
    sv_escape(err->message, sizeof err->message, text);
    return status;
}
