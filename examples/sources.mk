# SPDX-License-Identifier: MIT
# Built by make check against the shared library, as somebody else's program would be.
examples = examples/describe examples/describe_cxx examples/many_questions examples/chat \
	examples/my_hook examples/video
check_PROGRAMS += $(examples)
examples_describe_LDADD = libsparsevlm.la
examples_describe_cxx_SOURCES = examples/describe_cxx.cc
examples_describe_cxx_LDADD = libsparsevlm.la
examples_many_questions_LDADD = libsparsevlm.la
examples_chat_LDADD = libsparsevlm.la
examples_my_hook_LDADD = libsparsevlm.la
examples_video_LDADD = libsparsevlm.la
