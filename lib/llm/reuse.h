/* SPDX-License-Identifier: MIT */
/* The same picture, another question: rows up to the last picture do not know the
 * text after it, so what the layers before the hook's first_layer make of them is
 * kept with that picture and serves the next question. One state a picture, the
 * newest; safe from several threads. */
#ifndef SV_REUSE_H
#define SV_REUSE_H

#include "llm/turn.h"

/* How many rows of the turn need not run through the layers before t->first_layer:
 * their keys and values are in the cache, and their hidden rows are those that
 * enter that layer. 0: nothing fits, and nothing was touched. */
int sv_reuse_restore(sv_session *s, const sv_turn *t);

/* The rows stand before t->first_layer: keeps those up to the last picture, if that
 * is possible within the session's reuse_bytes. */
void sv_reuse_keep(sv_session *s, const sv_turn *t);

#endif
