/* SPDX-License-Identifier: MIT */
/* The screen that --help prints for a subcommand. */
#ifndef TOOLS_HELP_H
#define TOOLS_HELP_H

#include "cli.h"

const char *cli_help(cli_command command);

#endif
