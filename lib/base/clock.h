/* SPDX-License-Identifier: MIT */
/* Time for reports. */
#ifndef SV_CLOCK_H
#define SV_CLOCK_H

double sv_seconds(void);          /* monotonic */

#endif
