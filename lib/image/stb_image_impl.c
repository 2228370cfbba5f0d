/* SPDX-License-Identifier: MIT */
/* stb_image, compiled here and nowhere else: JPEG, PNG and BMP from memory.
 * Its blocks are ours, cleared (it reads tables a file never defined) and none
 * larger than the picture justifies (it lets compressed data grow without end). */
#include "image/decode.h"

#include "base/alloc.h"

/* The decode in progress on this thread: what it may take at once, and why it
 * did not get something. */
static _Thread_local struct { size_t max_block; int exceeded, no_memory; } budget;

static int allows(size_t n_bytes)
{
    budget.exceeded |= n_bytes > budget.max_block;
    return n_bytes <= budget.max_block;
}

static void *stb_malloc(size_t n_bytes)
{
    void *p = allows(n_bytes) ? sv_calloc(SV_MEM_IMAGE, n_bytes, 1) : NULL;
    budget.no_memory |= !p;
    return p;
}

static void *stb_realloc(void *p, size_t n_had, size_t n_bytes)
{
    void *q = allows(n_bytes) ? sv_realloc(SV_MEM_IMAGE, p, n_bytes, 1) : NULL;
    if (q && n_bytes > n_had)
        memset((char *)q + n_had, 0, n_bytes - n_had);
    budget.no_memory |= !q;
    return q;
}

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_ASSERT(x) ((void)0)
#define STBI_MALLOC stb_malloc
#define STBI_REALLOC_SIZED stb_realloc
#define STBI_FREE sv_free
#include <stb_image.h>

/* 16 bytes a pixel hold four 16-bit channels, twice over for the doubling that
 * interlaced PNGs need; edges round up to whole blocks of a JPEG. */
static size_t largest_block(const sv_picture *pic)
{
    uint64_t n = ((uint64_t)pic->width + 64) * ((uint64_t)pic->height + 64) * 16;
    n += 2 * (uint64_t)pic->n;
    return n < SIZE_MAX ? (size_t)n : SIZE_MAX;
}

static svlm_status explain(const sv_picture *pic, svlm_error *err)
{
    const char *why = stbi_failure_reason();
    if (budget.exceeded)
        why = "it holds more data than its size allows";
    else if (budget.no_memory)
        return sv_fail(err, SVLM_ERR_NOMEM, "%s: no memory for its %d x %d pixels", pic->name,
                       pic->width, pic->height);
    return sv_fail(err, SVLM_ERR_FORMAT, "%s: the picture is damaged (%s)", pic->name,
                   why ? why : "bad data");
}

/* Reduced here, to the high bytes: stb would lose the 16-bit samples when there is no
 * memory for the 8-bit ones. */
static uint8_t *load_16_bits(const sv_picture *pic, int *width, int *height)
{
    int n_channels;
    uint16_t *wide = stbi_load_16_from_memory(pic->p, (int)pic->n, width, height, &n_channels, 3);
    if (!wide)
        return NULL;
    size_t n = (size_t)*width * (size_t)*height * 3;
    uint8_t *pixels = stb_malloc(n);
    for (size_t i = 0; pixels && i < n; i++)
        pixels[i] = (uint8_t)(wide[i] >> 8);
    sv_free(wide);
    return pixels;
}

static uint8_t *load(const sv_picture *pic, int *width, int *height)
{
    int n_channels;
    return pic->has_16_bits ? load_16_bits(pic, width, height)
        : stbi_load_from_memory(pic->p, (int)pic->n, width, height, &n_channels, 3);
}

svlm_status sv_stb_decode(uint8_t **pixels, const sv_picture *pic, svlm_error *err)
{
    int width, height;
    budget.max_block = largest_block(pic);
    budget.exceeded = budget.no_memory = 0;
    stbi__g_failure_reason = NULL;              /* some failures set none */
    if (!(*pixels = load(pic, &width, &height)))
        return explain(pic, err);
    if (width != pic->width || height != pic->height) {
        sv_free(*pixels);
        *pixels = NULL;
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: the picture has two sizes, %d x %d and %d x %d",
                       pic->name, pic->width, pic->height, width, height);
    }
    return SVLM_OK;
}
