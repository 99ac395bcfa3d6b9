# BELFRY_ADD_FLAGS(VARIABLE, FLAGS...)
# Adds each of FLAGS that the compiler takes to VARIABLE.
AC_DEFUN([BELFRY_ADD_FLAGS], [
m4_foreach_w([belfry_flag], [$2], [
	AS_VAR_PUSHDEF([CACHE], [belfry_cv_cc_[]belfry_flag])
	AC_CACHE_CHECK([whether $CC takes belfry_flag], [CACHE], [
		belfry_save_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror belfry_flag"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM], [AS_VAR_SET([CACHE], [yes])],
			[AS_VAR_SET([CACHE], [no])])
		CFLAGS=$belfry_save_CFLAGS
	])
	AS_VAR_IF([CACHE], [yes], [AS_VAR_APPEND([$1], [" belfry_flag"])])
	AS_VAR_POPDEF([CACHE])
])
])

# BELFRY_OPTIONAL(NAME, DEFINE, PC-MODULE, WHAT)
# --with-NAME=yes|no|auto. Defines DEFINE and sets with_NAME to yes or no.
AC_DEFUN([BELFRY_OPTIONAL], [
AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1], [$4 (yes, no; default: when found)])], [],
	[with_$1=auto])
AS_IF([test "x$with_$1" != xno], [
	PKG_CHECK_MODULES([$2], [$3], [with_$1=yes], [
		AS_IF([test "x$with_$1" = xyes],
			[AC_MSG_ERROR([--with-$1 was asked for, but $3 was not found])])
		with_$1=no
	])
])
AS_IF([test "x$with_$1" = xyes], [AC_DEFINE([HAVE_$2], [1], [$4])])
AM_CONDITIONAL([HAVE_$2], [test "x$with_$1" = xyes])
])
