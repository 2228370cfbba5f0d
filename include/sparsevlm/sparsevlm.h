/* SPDX-License-Identifier: MIT */
/* Everything: include this one. A picture answers a question like this
 * (every step can fail; see examples/describe.c):
 *
 *     svlm_model_open      weights, shared by threads
 *     svlm_image_open      a picture
 *     svlm_features_encode what the language model sees of it
 *     svlm_prune_hook      SparseVLM, or a hook of your own, or none
 *     svlm_chat_new        one conversation
 *     svlm_chat_add_features, svlm_chat_add_text
 *     svlm_chat_ask        prefill, where pruning happens
 *     svlm_chat_next       pull pieces of text until SVLM_END
 *
 * The library never exits, aborts, prints, installs signal handlers or changes
 * process-wide settings. Objects may be released in any order. Threads do not
 * survive fork: a child process makes objects of its own. */
#ifndef SPARSEVLM_H
#define SPARSEVLM_H

#include <sparsevlm/types.h>
#include <sparsevlm/image.h>
#include <sparsevlm/model.h>
#include <sparsevlm/hook.h>
#include <sparsevlm/prune.h>
#include <sparsevlm/chat.h>

#endif
