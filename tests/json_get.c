/* SPDX-License-Identifier: MIT */
/* json_get KEY... < object: prints the value that the keys lead to, strings as they are.
 * Fails when stdin is not one JSON text, or has no such value. For script tests. */
#include <jansson.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    json_error_t err;
    json_t *root = json_loadf(stdin, JSON_REJECT_DUPLICATES, &err), *at = root;
    for (int i = 1; i < argc && at; i++)
        at = json_is_array(at) ? json_array_get(at, strtoul(argv[i], NULL, 10)) :
                                 json_object_get(at, argv[i]);
    if (!at)
        fprintf(stderr, "json_get: %s\n", root ? "no such value" : err.text);
    else if (json_is_string(at))
        puts(json_string_value(at));
    else
        json_dumpf(at, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
    json_decref(root);
    return !at;
}
