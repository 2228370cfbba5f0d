dnl SPDX-License-Identifier: MIT
dnl SVLM_CHECK_ISA(NAME, FLAGS, PROGRAM-BODY, INCLUDE): can the compiler build the
dnl kernel set simd/NAME with FLAGS? Sets the conditional ISA_NAME, ISA_NAME_CFLAGS.
AC_DEFUN([SVLM_CHECK_ISA], [
  svlm_isa_$1=no
  AS_IF([test "x$enable_simd" != xno], [
    AC_MSG_CHECKING([for kernel set $1 ($2)])
    svlm_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $2"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <$4>]], [$3])], [svlm_isa_$1=yes])
    CFLAGS=$svlm_save_CFLAGS
    AC_MSG_RESULT([$svlm_isa_$1])
  ])
  AS_IF([test "x$svlm_isa_$1" = xyes], [
    svlm_isa_list="$svlm_isa_list $1"
    SIMD_DEFS="$SIMD_DEFS -DSV_BUILD_[]m4_toupper([$1])=1"
  ])
  AC_SUBST([ISA_]m4_toupper([$1])[_CFLAGS], ["$2"])
  AM_CONDITIONAL([ISA_]m4_toupper([$1]), [test "x$svlm_isa_$1" = xyes])
])

AC_DEFUN([SVLM_ISA], [
  AC_ARG_ENABLE([simd], [AS_HELP_STRING([--disable-simd], [plain C kernels only; --enable-simd=require fails
    when the compiler cannot build this processor family's sets])], [], [enable_simd=yes])
  svlm_isa_list=
  SIMD_DEFS=
  svlm_family=none
  AS_CASE([$host_cpu], [x86_64|amd64], [svlm_family=x86], [aarch64*|arm64*], [svlm_family=arm])
  AS_IF([test $svlm_family = x86], [
    SVLM_CHECK_ISA([avx2], [-mavx2 -mfma -mf16c -mbmi2],
      [[__m256i a = _mm256_setzero_si256(); (void)_mm256_maddubs_epi16(a, a);]], [immintrin.h])
    SVLM_CHECK_ISA([avx512], [-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx512vbmi -mavx2 -mfma -mf16c -mbmi2],
      [[__m512i a = _mm512_setzero_si512(); (void)_mm512_dpbusd_epi32(a, a, a);]], [immintrin.h])
    SVLM_CHECK_ISA([avx512_bf16], [-mavx512bf16 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx512vbmi -mavx2 -mfma -mf16c -mbmi2],
      [[__m512 c = _mm512_setzero_ps(); __m512bh a = (__m512bh)_mm512_setzero_si512(); (void)_mm512_dpbf16_ps(c, a, a);]], [immintrin.h])
  ], [
    AM_CONDITIONAL([ISA_AVX2], [false]) AM_CONDITIONAL([ISA_AVX512], [false]) AM_CONDITIONAL([ISA_AVX512_BF16], [false])
  ])
  AS_IF([test $svlm_family = arm], [
    SVLM_CHECK_ISA([neon], [], [[float32x4_t a = vdupq_n_f32(0); (void)vfmaq_f32(a, a, a);]], [arm_neon.h])
    SVLM_CHECK_ISA([neon_dotprod], [-march=armv8.2-a+dotprod+fp16],
      [[int32x4_t a = vdupq_n_s32(0); int8x16_t b = vdupq_n_s8(0); (void)vdotq_laneq_s32(a, b, b, 1);]], [arm_neon.h])
    SVLM_CHECK_ISA([neon_i8mm], [-march=armv8.2-a+dotprod+fp16+i8mm],
      [[int32x4_t a = vdupq_n_s32(0); int8x16_t b = vdupq_n_s8(0); (void)vmmlaq_s32(a, b, b);]], [arm_neon.h])
  ], [
    AM_CONDITIONAL([ISA_NEON], [false]) AM_CONDITIONAL([ISA_NEON_DOTPROD], [false]) AM_CONDITIONAL([ISA_NEON_I8MM], [false])
  ])
  AS_IF([test "x$enable_simd" = xrequire && test -z "$svlm_isa_list"],
    [AC_MSG_ERROR([--enable-simd=require: no kernel set can be built for $host_cpu])])
  AC_SUBST([SIMD_DEFS])
])

dnl Warnings and -fvisibility; the user's CFLAGS come after and win.
AC_DEFUN([SVLM_COMPILER], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors])], [], [enable_werror=no])
  WARN_CFLAGS="-Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings -Wundef"
  AS_IF([test "x$enable_werror" = xyes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
  BASE_CFLAGS="-std=gnu11 -fvisibility=hidden -fno-math-errno -fno-trapping-math -ffp-contract=off"
  AC_SUBST([WARN_CFLAGS])
  AC_SUBST([BASE_CFLAGS])
])
