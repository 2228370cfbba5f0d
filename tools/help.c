/* SPDX-License-Identifier: MIT */
/* The screens that --help prints: each at most 24 lines of 80 columns. */
#include "help.h"

#define MODEL \
    "  -m FILE, --mmproj FILE  language model, vision half (GGUF); otherwise\n" \
    "                          $SPARSEVLM_MODEL or the demo, and mmproj beside it\n"
#define RUN \
    "  -t N, -c N              threads, and rows of context (all cores, at most 4096)\n" \
    "  --precise, --repack     float32 activations; weights laid out anew in memory\n"
#define TEXT \
    "  -sys TEXT, --template NAME  system text, chat template; otherwise the model's\n" \
    "  -n N, --kv-f32          tokens an answer may have; keys and values in float32\n" \
    "  --temp T, --top-k K, --top-p P, --min-p P, --repeat-penalty R, --seed S\n" \
    "                          sampling; the likeliest token without --temp\n"
#define PRUNE \
    "  --prune METHOD          none, sparsevlm (default), sparsevlm+, rank, paper,\n" \
    "                          energy, random, uniform, fastv, pdrop, divprune,\n" \
    "                          visionzip\n" \
    "  --retain N              visual tokens to keep of 576, over layers (192)\n" \
    "  --prune-layers A,B,C --keep A,B,C, --positions compact|keep   exact control\n" \
    "  --lambda, --scale, --bias, --energy X, --min-keep, --max-keep N, --per-image,\n" \
    "  --keep-separators, --no-recycle, --raters-question-only, --raters-between\n" \
    "                          fine points of some methods: see the man page\n"
#define VIDEO \
    "  --frames N, --fps R     frames of a video: how many (8), or how many a second\n" \
    "  --start S, --end S, --frame-times   its part in seconds; tell when frames are\n"
#define END \
    "  -v, --verbose           what the library logs\n"

const char *cli_help(cli_command command)
{
    switch (command) {
    case CLI_ASK:
        return "usage: sparsevlm ask [options] FILE... QUESTION\n"
               "Answers a question about pictures or a video; \"-\" reads it from stdin.\n"
               "  --image FILE, --video FILE, -p QUESTION   the same with names\n"
               MODEL VIDEO TEXT PRUNE RUN
               "  --stats, --json         tokens, work and time on stderr; one object on stdout\n"
               END;
    case CLI_CHAT:
        return "usage: sparsevlm chat [options] [FILE...]\n"
               "Talks about pictures; while it runs: /image FILE, /reset, /help, /quit.\n"
               "  --reprune               evaluate the whole conversation anew each turn, so\n"
               "                          that pruning follows the newest question\n"
               MODEL VIDEO TEXT PRUNE RUN
               "  --stats                 tokens, work and time on stderr\n"
               END;
    case CLI_INFO:
        return "usage: sparsevlm info [options] [MODEL.gguf]\n"
               "Shows what is in the files, what a conversation needs in memory, and which\n"
               "kernels would run, without reading the weights.\n"
               MODEL RUN
               "  --kv-f32, --reprune     as for ask and chat: they change the memory needed\n"
               "  --json                  one object on stdout\n"
               END;
    case CLI_EVAL:
        return "usage: sparsevlm eval [options] FOLDER\n"
               "Asks the questions in FOLDER/questions.jsonl about the pictures beside it; each\n"
               "line holds image, family, question and answer. An answer counts when it is\n"
               "equal. Prints accuracy by family with a 95 % interval (Wilson).\n"
               "  --limit N               only the first N questions\n"
               "  --against-precise       ask with --precise as well: which answers differ?\n"
               MODEL TEXT PRUNE RUN
               "  --json                  one object on stdout\n"
               END;
    case CLI_BENCH:
        return "usage: sparsevlm bench [options]\n"
               "Measures encoding, prefill, decoding and memory: medians with their spread.\n"
               "  --tokens A,B            rows of the prompt (640), all but 64 of them visual\n"
               "  --settings A,B          none, or a number to retain (none,192)\n"
               "  --repeat N, -n N        rounds (5) after one to warm up; tokens decoded (32)\n"
               "  --prune METHOD, --positions compact|keep   for all settings but none\n"
               MODEL RUN
               "  --json                  one object on stdout\n"
               END;
    case CLI_EXPLAIN:
        return "usage: sparsevlm explain [options] PICTURE QUESTION\n"
               "Draws what pruning kept, stage by stage, as PNG files.\n"
               "  -o PREFIX               of the files' names\n"
               MODEL PRUNE RUN
               "  -sys TEXT, --template NAME  system text and chat template\n"
               "  --json                  the lists as one object on stdout\n"
               END;
    case CLI_QUANTIZE:
        return "usage: sparsevlm quantize [options] IN.gguf OUT.gguf TYPE\n"
               "Writes a language model or mmproj file of F32, F16 or BF16 weights in a smaller\n"
               "type. OUT.gguf appears when it is complete.\n"
               "  TYPE                    Q8_0 Q6_K Q5_K_M Q5_K_S Q4_K_M Q4_K_S Q3_K_L Q3_K_M\n"
               "                          Q3_K_S Q2_K Q5_1 Q5_0 Q4_1 Q4_0 IQ4_NL BF16 F16 F32:\n"
               "                          llama-quantize's mixtures (a vision tower: Q8_0)\n"
               "  --verify                each tensor's relative error on stdout\n"
               "  -p TEXT, --image FILE   with --verify: the logits' error after this question\n"
               "  -m FILE, --mmproj FILE  the other half of the pair, for a picture\n"
               "  -t N                    threads (all cores)\n";
    case CLI_CONVERT:
        return "usage: sparsevlm convert [options] FOLDER -o NAME\n"
               "Makes NAME.gguf and mmproj-NAME.gguf of a Hugging Face checkpoint of LLaVA-1.5\n"
               "or 1.6 (config.json, safetensors, tokenizer.model): llava-hf's or liuhaotian's.\n"
               "  --type TYPE             of the language model: F16 (default), BF16, F32, or\n"
               "                          anything sparsevlm quantize makes\n"
               "  --tower TYPE            of the vision tower and projector: F16 (default), F32,\n"
               "                          BF16, Q8_0\n"
               "  --vision FOLDER         where the tower is if FOLDER has none: a checkout of\n"
               "                          openai/clip-vit-large-patch14-336\n"
               "  -t N                    threads (all cores)\n";
    }
    return "";
}
