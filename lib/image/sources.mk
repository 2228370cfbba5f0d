# SPDX-License-Identifier: MIT
libcore_la_SOURCES += \
	lib/image/check_bmp.c lib/image/check_jpeg.c lib/image/check_png.c \
	lib/image/decode.h lib/image/image.h lib/image/image_file.c \
	lib/image/preprocess.c lib/image/preprocess.h lib/image/resize.c lib/image/resize.h \
	lib/image/sniff.c lib/image/tiles.c

# stb_image warns, overflows ints on damaged files and shows what lay on its stack
# for palette entries that are not there: flags for that one file.
noinst_LTLIBRARIES += libstb.la
libstb_la_SOURCES = lib/image/stb_image_impl.c
libstb_la_CPPFLAGS = $(AM_CPPFLAGS) $(STB_CFLAGS)
libstb_la_CFLAGS = $(AM_CFLAGS) -w -fwrapv $(INIT_CFLAGS)
libcore_la_LIBADD += libstb.la

if HAVE_VIDEO
noinst_LTLIBRARIES += libvideo.la
libvideo_la_SOURCES = lib/image/video.h lib/image/video_file.c lib/image/video_frames.c
libvideo_la_CFLAGS = $(AM_CFLAGS) $(AV_CFLAGS)
libcore_la_LIBADD += libvideo.la $(AV_LIBS)
else
libcore_la_SOURCES += lib/image/video_none.c
endif
