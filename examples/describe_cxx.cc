// SPDX-License-Identifier: MIT
// The same program as C++, which shows that the headers are.
#include "describe.c"
