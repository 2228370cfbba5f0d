/* SPDX-License-Identifier: MIT */
/* tokenizer.model: a SentencePiece vocabulary in protobuf encoding. */
#ifndef TOOLS_SENTENCEPIECE_H
#define TOOLS_SENTENCEPIECE_H

#include "base/mapfile.h"
#include "gguf/gguf.h"

typedef struct sv_sentencepiece {
    sv_map map;
    size_t n;
    sv_span *texts;               /* views into the map                              */
    float *scores;
    int32_t *types;               /* as in GGUF: 1 normal, 2 unknown, 3 control ...  */
    int unk, bos, eos, pad;       /* -1: none                                        */
    int add_space_prefix;
} sv_sentencepiece;

/* Byte-pair models only. All zero after a failure. */
svlm_status sv_sentencepiece_open(sv_sentencepiece *sp, const char *path, svlm_error *err);
void sv_sentencepiece_close(sv_sentencepiece *sp);              /* all zero is fine */

#endif
