/* SPDX-License-Identifier: MIT */
/* What a file is, from its first bytes: so that "not supported" says what was
 * found, and a page saved in place of a picture is called a page. */
#include "image/decode.h"

#include <ctype.h>

typedef struct magic {
    sv_format format;
    size_t at, n;
    const char *bytes;
    const char *what;
} magic;

#define MAGIC(format, at, bytes, what) { format, at, sizeof bytes - 1, bytes, what }

/* The first match counts. */
static const magic magics[] = {
    MAGIC(SV_FORMAT_JPEG, 0, "\xff\xd8\xff", "a JPEG picture"),
    MAGIC(SV_FORMAT_PNG, 0, "\x89PNG\r\n\x1a\n", "a PNG picture"),
    MAGIC(SV_FORMAT_BMP, 0, "BM", "a BMP picture"),
    MAGIC(SV_FORMAT_OTHER, 8, "WEBP", "a WebP picture"),
    MAGIC(SV_FORMAT_OTHER, 8, "AVI ", "an AVI video"),
    MAGIC(SV_FORMAT_OTHER, 4, "ftypavi", "an AVIF picture"),
    MAGIC(SV_FORMAT_OTHER, 4, "ftyphe", "a HEIC picture"),
    MAGIC(SV_FORMAT_OTHER, 4, "ftypmif1", "a HEIF picture"),
    MAGIC(SV_FORMAT_OTHER, 4, "ftypmsf1", "a HEIF picture"),
    MAGIC(SV_FORMAT_OTHER, 4, "ftyp", "an MP4 or QuickTime video"),
    MAGIC(SV_FORMAT_OTHER, 0, "\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    MAGIC(SV_FORMAT_OTHER, 0, "OggS", "an Ogg file"),
    MAGIC(SV_FORMAT_OTHER, 0, "FLV\1", "a Flash video"),
    MAGIC(SV_FORMAT_OTHER, 0, "\0\0\1\xba", "an MPEG program stream"),
    MAGIC(SV_FORMAT_OTHER, 0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file"),
    MAGIC(SV_FORMAT_OTHER, 0, "GIF8", "a GIF picture"),
    MAGIC(SV_FORMAT_OTHER, 0, "II*\0", "a TIFF picture"),
    MAGIC(SV_FORMAT_OTHER, 0, "MM\0*", "a TIFF picture"),
    MAGIC(SV_FORMAT_OTHER, 0, "\0\0\0\fJXL ", "a JPEG XL picture"),
    MAGIC(SV_FORMAT_OTHER, 0, "\xff\x0a", "a JPEG XL picture"),
    MAGIC(SV_FORMAT_OTHER, 0, "\0\0\0\fjP  ", "a JPEG 2000 picture"),
    MAGIC(SV_FORMAT_OTHER, 0, "8BPS", "a Photoshop picture"),
    MAGIC(SV_FORMAT_OTHER, 0, "\0\0\1\0", "an icon file"),
    MAGIC(SV_FORMAT_OTHER, 0, "%PDF", "a PDF document"),
    MAGIC(SV_FORMAT_OTHER, 0, "GGUF", "a GGUF model"),
    MAGIC(SV_FORMAT_OTHER, 0, "PK\3\4", "a ZIP archive"),
};

/* word, in any case, at s[0..n). */
static int starts(const uint8_t *s, size_t n, const char *word)
{
    size_t k = 0;
    while (word[k] && k < n && tolower(s[k]) == word[k])
        k++;
    return !word[k];
}

static int contains(const uint8_t *s, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (starts(s + i, n - i, word))
            return 1;
    return 0;
}

static const char *kind_of_text(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < 0x20 && !(s[i] >= '\t' && s[i] <= '\r') && s[i] != 0x1b)
            return "not a format we know";
    if (contains(s, n, "<svg"))
        return "an SVG drawing";
    if (contains(s, n, "<html") || contains(s, n, "<!doctype html"))
        return "an HTML page";
    return contains(s, n, "<?xml") ? "an XML document" : "text";
}

/* Packets of 188 bytes that begin with 0x47; on discs each has four bytes in front. */
static int is_transport_stream(const uint8_t *p, size_t n)
{
    return (n > 2 * 188 && p[0] == 0x47 && p[188] == 0x47 && p[2 * 188] == 0x47) ||
           (n > 4 + 2 * 192 && p[4] == 0x47 && p[4 + 192] == 0x47 && p[4 + 2 * 192] == 0x47);
}

sv_format sv_sniff(const uint8_t *p, size_t n, const char **what)
{
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        const magic *m = &magics[i];
        if (n >= m->at + m->n && !memcmp(p + m->at, m->bytes, m->n)) {
            *what = m->what;
            return m->format;
        }
    }
    *what = is_transport_stream(p, n) ? "an MPEG transport stream"
                                      : kind_of_text(p, n < 1024 ? n : 1024);
    return SV_FORMAT_OTHER;
}
