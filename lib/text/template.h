/* SPDX-License-Identifier: MIT */
/* What a template consists of; NULL stands for no text. */
#ifndef SV_TEMPLATE_H
#define SV_TEMPLATE_H

#include "text/text.h"

struct sv_template {
    const char *name;
    const char *system;           /* unless the caller gives another          */
    const char *system_before, *system_after;    /* around it, if there is one */
    int system_in_turn;           /* it stands inside the first turn          */
    const char *user_before, *user_after;
    int close_with_eos;           /* an answer ends with eos ...              */
    const char *close;            /* ... and with this, before another turn   */
};

#endif
