/* SPDX-License-Identifier: MIT */
/* Classes of characters, looked up in the generated table. */
#include "text/unicode.h"

static int is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

sv_class sv_unicode_class(uint32_t code)
{
    if (is_space(code))
        return SV_CLASS_SPACE;
    int from = 0, to = SV_UNICODE_ENTRIES;       /* entries before from begin at or before code */
    while (from < to) {
        int mid = from + (to - from) / 2;
        if (sv_unicode_table[mid] >> 2 <= code)
            from = mid + 1;
        else
            to = mid;
    }
    return from ? (sv_class)(sv_unicode_table[from - 1] & 3) : SV_CLASS_OTHER;
}
