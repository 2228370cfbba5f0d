/* SPDX-License-Identifier: MIT */
/* From options to objects: model, hook, conversation. */
#include "cli.h"

/* ---- model ----------------------------------------------------------------- */

/* Looks once, however often a command opens them. */
static int find_files(cli_files *files, const cli_options *o)
{
    int rc = files->model ? CLI_OK : cli_find_files(files, o);
    if (files->is_demo && !o->json)
        cli_note("this is the small demo model: it knows only coloured shapes, letters and digits "
                 "(-m gives another)");
    files->is_demo = 0;           /* said */
    return rc;
}

int cli_open_model(svlm_model **model, const cli_options *o)
{
    static cli_files files;       /* named by the signal handler until the end */
    svlm_model_options mo;
    svlm_error err;
    int rc = find_files(&files, o);
    *model = NULL;
    if (rc)
        return rc;
    SVLM_INIT(&mo);
    mo.model_path = files.model;
    mo.mmproj_path = files.mmproj;
    mo.load = o->repack ? SVLM_LOAD_REPACK : SVLM_LOAD_MAP;
    mo.precise = o->precise;
    mo.n_threads = o->n_threads;
    mo.log = cli_log;
    mo.progress = cli_progress;
    mo.user = (void *)(uintptr_t)o;
    svlm_status st = svlm_model_open(model, &mo, &err);
    cli_progress_clear();
    if (st)
        return cli_fail(&err);
    cli_watch_file(files.model);
    if (files.mmproj)
        cli_watch_file(files.mmproj);
    return CLI_OK;
}

/* ---- pruning --------------------------------------------------------------- */

const char *cli_prune_name(const cli_options *o)
{
    return o->prune ? o->prune : svlm_prune_name(SVLM_PRUNE_SPARSEVLM);
}

static int read_positions(svlm_prune_options *po, const cli_options *o)
{
    if (!o->positions)
        return CLI_OK;
    po->positions = !strcmp(o->positions, "compact") ? SVLM_POSITIONS_COMPACT :
                    !strcmp(o->positions, "keep") ? SVLM_POSITIONS_KEEP : SVLM_POSITIONS_AUTO;
    if (po->positions == SVLM_POSITIONS_AUTO)
        return cli_usage(o->command, "--positions \"%s\" is neither compact nor keep",
                         o->positions);
    return CLI_OK;
}

/* What some methods only have a use for. */
static void read_rules(svlm_prune_options *po, const cli_options *o)
{
    po->lambda = o->lambda;
    po->scale = o->scale;
    po->bias = o->bias;
    po->energy = o->energy;
    po->min_keep = o->min_keep;
    po->max_keep = o->max_keep;
    po->per_image = o->per_image;
    po->keep_separators = o->keep_separators;
    po->no_recycle = o->no_recycle;
    po->raters_question_only = o->raters_question_only;
    po->raters_between = o->raters_between;
}

int cli_make_hook(svlm_hook *hook, const cli_options *o)
{
    svlm_prune_options po;
    svlm_error err;
    memset(hook, 0, sizeof *hook);
    SVLM_INIT(&po);
    if (!strcmp(cli_prune_name(o), "none"))
        return CLI_OK;
    int method = svlm_prune_method_by_name(cli_prune_name(o));
    if (method < 0)
        return cli_usage(o->command, "there is no pruning method \"%s\"", o->prune);
    po.method = (svlm_prune_method)method;
    po.retain = o->retain;
    po.n_layers_list = o->prune_layers.n;
    po.layers = o->prune_layers.value;
    po.keep = o->keep.value;
    po.seed = o->seed;
    read_rules(&po, o);
    int rc = read_positions(&po, o);
    if (rc)
        return rc;
    SVLM_INIT(hook);
    return svlm_prune_hook(hook, &po, &err) ? cli_fail(&err) : CLI_OK;
}

void cli_chat_options(svlm_chat_options *co, const cli_options *o, const svlm_hook *hook)
{
    SVLM_INIT(co);
    co->n_ctx = o->n_ctx;
    co->hook = hook && hook->size ? hook : NULL;
    co->template_name = o->template_name;
    co->system = o->system;
    co->kv_f32 = o->kv_f32;
    co->reprune = o->reprune;
    co->temperature = (float)o->temperature;
    co->top_k = o->top_k;
    co->top_p = (float)o->top_p;
    co->min_p = (float)o->min_p;
    co->repeat_penalty = (float)o->repeat_penalty;
    co->seed = o->seed;
    co->max_tokens = o->n_predict > 0 ? o->n_predict : 0;
    co->progress = cli_progress;
    co->user = (void *)(uintptr_t)o;
}
