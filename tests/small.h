/* SPDX-License-Identifier: MIT */
/* A tiny model, a picture, and questions, for tests of the public interface. */
#ifndef SV_SMALL_H
#define SV_SMALL_H

#include <sparsevlm/sparsevlm.h>

#include "tiny_model.h"

typedef struct small {
    tiny_model files;
    svlm_model *model;
    svlm_image *image;
    svlm_features *features;
} small;

/* group setup and teardown for cmocka; *state is the small. */
int small_setup(void **state);
int small_teardown(void **state);

svlm_model *small_open(const small *s);
svlm_image *small_image(void);
svlm_features *small_features(svlm_model *model, const svlm_image *image);
/* With the options given, or without any. */
svlm_chat *small_chat(svlm_model *model, const svlm_chat_options *opt);
/* Adds a picture (unless NULL) and a text; the test fails if that does. */
void small_add(svlm_chat *chat, svlm_features *features, const char *text);
/* Reads up to n pieces of the answer, the last token of each into ids; gives their
 * number. */
int small_read(svlm_chat *chat, int32_t *ids, int n);
/* small_add, ask, small_read. */
int small_ask(svlm_chat *chat, svlm_features *features, const char *text, int32_t *ids, int n);

#endif
