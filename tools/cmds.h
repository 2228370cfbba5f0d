/* SPDX-License-Identifier: MIT */
/* The subcommands. argv[0] is the subcommand's name; the result is the exit code. */
#ifndef TOOLS_CMDS_H
#define TOOLS_CMDS_H

int cmd_ask(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_chat(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_quantize(int argc, char **argv);

#endif
