/* A stub for a library that is left out of the image. It has the functions that installed programs
 * import. Each prints an error and aborts. `stubs` compiles this file once for each library, with
 * the library's own functions.h. */

int dprintf(int file, const char *format, ...);
void abort(void) __attribute__((noreturn));

static void __attribute__((noreturn, cold)) left_out(const char *function)
{
	dprintf(2,
		"%s() was called, a function of a library that is left out of this image: see "
		"/usr/local/lib/render-worker/left-out, and docs/image.md for how to install it\n",
		function);
	abort();
}

#ifdef FINDS_NOTHING
/* For a library that only lists devices: success, and no devices. */
#define FUNCTION(name) int name(void) { return 0; }
#else
#define FUNCTION(name) void name(void) { left_out(#name); }
#endif
#include "functions.h"
