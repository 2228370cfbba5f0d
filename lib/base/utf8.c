/* SPDX-License-Identifier: MIT */
/* UTF-8 as it comes from files and users: possibly broken. */
#include "base/utf8.h"

int sv_utf8_announced(uint8_t lead)
{
    return lead >= 0xf8 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
}

int sv_utf8_decode(const uint8_t *s, size_t n, uint32_t *code)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (!n)
        return 0;
    int len = sv_utf8_announced(s[0]);
    if (len == 1) {
        *code = s[0];
        return s[0] < 0x80;
    }
    if ((size_t)len > n)
        return 0;
    uint32_t c = s[0] & (0x7fu >> len);
    for (int i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *code = c;
    return len;
}

int sv_utf8_encode(uint32_t code, uint8_t out[4])
{
    int len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    if (len == 1) {
        out[0] = (uint8_t)code;
        return 1;
    }
    for (int i = len - 1; i > 0; i--, code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
    out[0] = (uint8_t)((0xf00u >> len) | code);
    return len;
}

size_t sv_utf8_complete(const uint8_t *s, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        uint8_t c = s[n - back];
        if ((c & 0xc0) == 0x80)
            continue;                           /* look for its lead byte */
        return (size_t)sv_utf8_announced(c) > back ? n - back : n;
    }
    return n;
}
