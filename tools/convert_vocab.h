/* SPDX-License-Identifier: MIT */
/* The vocabulary of a checkpoint as GGUF keys. */
#ifndef TOOLS_CONVERT_VOCAB_H
#define TOOLS_CONVERT_VOCAB_H

#include "gguf/gguf_write.h"
#include "hf_config.h"

/* Reads folder/tokenizer.model, adds the tokens of the JSON files and fillers up to the
 * n_rows rows of the embedding, and puts all tokenizer keys. */
svlm_status sv_convert_vocab(sv_gguf_writer *w, const char *folder, const sv_hf_config *c,
                             uint64_t n_rows, svlm_error *err);

#endif
