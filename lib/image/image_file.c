/* SPDX-License-Identifier: MIT */
/* Pictures: from files, from bytes, from the caller's pixels. */
#include <inttypes.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/mapfile.h"
#include "base/options.h"
#include "image/decode.h"
#include "image/image.h"

/* What stb's int arithmetic can hold with room to spare, and no picture needs. */
#define HARD_MAX_PIXELS ((uint64_t)1 << 27)
#define DEFAULT_MAX_PIXELS ((uint64_t)1 << 26)
#define MAX_FILE_BYTES ((uint64_t)1 << 30)

struct svlm_image {
    atomic_int n_refs;
    int width, height;
    uint8_t *pixels;              /* [height][width][3] */
};

/* Takes over pixels, or if they are NULL makes room for some. */
static svlm_status wrap(svlm_image **out, uint8_t *pixels, int width, int height, svlm_error *err)
{
    svlm_image *image = sv_calloc(SV_MEM_IMAGE, 1, sizeof *image);
    if (image && !pixels)
        pixels = sv_malloc(SV_MEM_IMAGE, (size_t)width * (size_t)height, 3);
    if (!image || !pixels) {
        sv_free(image);
        sv_free(pixels);
        return sv_fail(err, SVLM_ERR_NOMEM, "no memory for a picture of %d x %d pixels", width,
                       height);
    }
    atomic_init(&image->n_refs, 1);
    image->width = width;
    image->height = height;
    image->pixels = pixels;
    *out = image;
    return SVLM_OK;
}

svlm_status sv_image_new(svlm_image **out, int width, int height, svlm_error *err)
{
    *out = NULL;
    return wrap(out, NULL, width, height, err);
}

/* ---- orientation ---------------------------------------------------------- */

/* Where pixel (x, y) of the upright picture, w x h, lies in the stored one. Exif
 * numbers: 2 mirrored, 3 upside down, 4 both, 5 to 8 the same with x and y
 * exchanged, 6 and 8 being quarter turns. */
static size_t stored_at(int orientation, size_t x, size_t y, size_t w, size_t h)
{
    switch (orientation) {
    case 2: return y * w + (w - 1 - x);
    case 3: return (h - 1 - y) * w + (w - 1 - x);
    case 4: return (h - 1 - y) * w + x;
    case 5: return x * h + y;
    case 6: return (w - 1 - x) * h + y;
    case 7: return (w - 1 - x) * h + (h - 1 - y);
    case 8: return x * h + (h - 1 - y);
    }
    return y * w + x;
}

svlm_status sv_image_orient(svlm_image **image, int orientation, svlm_error *err)
{
    const svlm_image *in = *image;
    if (orientation <= 1 || orientation > 8)
        return SVLM_OK;
    int swaps = orientation >= 5;
    svlm_image *turned;
    svlm_status st = sv_image_new(&turned, swaps ? in->height : in->width,
                                  swaps ? in->width : in->height, err);
    if (st)
        return st;
    uint8_t *to = turned->pixels;
    size_t w = (size_t)turned->width, h = (size_t)turned->height;
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++, to += 3)
            memcpy(to, in->pixels + 3 * stored_at(orientation, x, y, w, h), 3);
    svlm_image_close(*image);
    *image = turned;
    return SVLM_OK;
}

/* ---- files ---------------------------------------------------------------- */

svlm_status sv_check_size(sv_picture *pic, uint32_t width, uint32_t height, svlm_error *err)
{
    if (!width || !height)
        return sv_fail(err, SVLM_ERR_FORMAT, "%s: a picture of %" PRIu32 " x %" PRIu32 " pixels",
                       pic->name, width, height);
    if (width > INT32_MAX || height > INT32_MAX || (uint64_t)width * height > pic->max_pixels)
        return sv_fail(err, SVLM_ERR_LIMIT, "%s: %" PRIu32 " x %" PRIu32 " pixels, the limit is %"
                       PRIu64, pic->name, width, height, pic->max_pixels);
    pic->width = (int)width;
    pic->height = (int)height;
    return SVLM_OK;
}

static svlm_status check(sv_picture *pic, svlm_error *err)
{
    const char *what;
    if (pic->n > MAX_FILE_BYTES)
        return sv_fail(err, SVLM_ERR_LIMIT, "%s: %zu bytes are more than a picture may have (%"
                       PRIu64 ")", pic->name, pic->n, MAX_FILE_BYTES);
    switch (sv_sniff(pic->p, pic->n, &what)) {
    case SV_FORMAT_JPEG: return sv_check_jpeg(pic, err);
    case SV_FORMAT_PNG: return sv_check_png(pic, err);
    case SV_FORMAT_BMP: return sv_check_bmp(pic, err);
    case SV_FORMAT_OTHER: break;
    }
    return sv_fail(err, SVLM_ERR_UNSUPPORTED, "%s is %s; pictures must be JPEG, PNG or BMP",
                   pic->name, what);
}

static svlm_status decode(svlm_image **out, const char *name, const void *bytes, size_t n_bytes,
                          const svlm_image_options *opt, svlm_error *err)
{
    uint64_t max = opt->max_pixels ? opt->max_pixels : DEFAULT_MAX_PIXELS;
    sv_picture pic = { .name = name, .p = bytes, .n = n_bytes, .orientation = 1,
                       .max_pixels = max < HARD_MAX_PIXELS ? max : HARD_MAX_PIXELS };
    uint8_t *pixels;
    svlm_image *image;
    svlm_status st;
    if ((st = check(&pic, err)) || (st = sv_stb_decode(&pixels, &pic, err)) ||
        (st = wrap(&image, pixels, pic.width, pic.height, err)))
        return st;
    if (opt->exif_rotate && (st = sv_image_orient(&image, pic.orientation, err))) {
        svlm_image_close(image);
        return st;
    }
    *out = image;
    return SVLM_OK;
}

svlm_status svlm_image_open(svlm_image **out, const char *path, const svlm_image_options *opt,
                            svlm_error *err)
{
    svlm_image_options o;
    struct stat info;
    sv_map map;
    svlm_status st;
    if (out)
        *out = NULL;
    if (!out || !path)
        return sv_fail(err, SVLM_ERR_ARG, "no picture file was named");
    if ((st = sv_options_read(&o, sizeof o, opt, "svlm_image_options", err)))
        return st;
    /* The file is read, not mapped: it may shrink. Asked first, because a model or a
     * film given in place of a picture need not be read to be refused. */
    if (!stat(path, &info) && info.st_size > 0 && (uint64_t)info.st_size > MAX_FILE_BYTES)
        return sv_fail(err, SVLM_ERR_LIMIT, "%s: %" PRIu64 " bytes are more than a picture may "
                       "have (%" PRIu64 ")", path, (uint64_t)info.st_size, MAX_FILE_BYTES);
    if ((st = sv_map_file(&map, path, 1, err)))
        return st;
    st = decode(out, path, map.data, map.size, &o, err);
    sv_map_close(&map);
    return st;
}

svlm_status svlm_image_decode(svlm_image **out, const void *bytes, size_t n_bytes,
                              const svlm_image_options *opt, svlm_error *err)
{
    svlm_image_options o;
    svlm_status st;
    if (out)
        *out = NULL;
    if (!out || (!bytes && n_bytes))
        return sv_fail(err, SVLM_ERR_ARG, "no picture was given");
    if (!n_bytes)
        return sv_fail(err, SVLM_ERR_FORMAT, "the picture is empty");
    if ((st = sv_options_read(&o, sizeof o, opt, "svlm_image_options", err)))
        return st;
    return decode(out, "the picture", bytes, n_bytes, &o, err);
}

svlm_status svlm_image_from_rgb(svlm_image **out, const uint8_t *rgb, int width, int height,
                                size_t stride, svlm_error *err)
{
    if (out)
        *out = NULL;
    if (!out || !rgb)
        return sv_fail(err, SVLM_ERR_ARG, "no pixels were given");
    if (width < 1 || height < 1 || stride < (size_t)width * 3)
        return sv_fail(err, SVLM_ERR_ARG, "%d x %d pixels in rows of %zu bytes are not a picture",
                       width, height, stride);
    if ((uint64_t)width * (uint64_t)height > HARD_MAX_PIXELS)
        return sv_fail(err, SVLM_ERR_LIMIT, "%d x %d pixels, the limit is %" PRIu64, width, height,
                       HARD_MAX_PIXELS);
    svlm_status st = sv_image_new(out, width, height, err);
    if (st)
        return st;
    for (size_t y = 0, row = (size_t)width * 3; y < (size_t)height; y++)
        memcpy((*out)->pixels + y * row, rgb + y * stride, row);
    return SVLM_OK;
}

/* ---- access --------------------------------------------------------------- */

int svlm_image_width(const svlm_image *image)
{
    return image ? image->width : 0;
}

int svlm_image_height(const svlm_image *image)
{
    return image ? image->height : 0;
}

const uint8_t *svlm_image_pixels(const svlm_image *image)
{
    return image ? image->pixels : NULL;
}

uint8_t *sv_image_data(svlm_image *image)
{
    return image->pixels;
}

svlm_image *svlm_image_ref(svlm_image *image)
{
    if (image)
        atomic_fetch_add_explicit(&image->n_refs, 1, memory_order_relaxed);
    return image;
}

void svlm_image_close(svlm_image *image)
{
    if (!image || atomic_fetch_sub_explicit(&image->n_refs, 1, memory_order_acq_rel) != 1)
        return;
    sv_free(image->pixels);
    sv_free(image);
}
