/* A library that is left out of the image: the functions that something may ask of it, each of
 * which says so and aborts. `stubs` compiles it, once a library, with a functions.h of its own. */

int dprintf(int file, const char *format, ...);
void abort(void) __attribute__((noreturn));

static void __attribute__((noreturn, cold)) left_out(const char *function)
{
	dprintf(2,
		"%s() was called, which is in a library that is left out of this image: see "
		"/usr/local/lib/render-worker/left-out, and docs/image.md for how to put it back\n",
		function);
	abort();
}

#ifdef FINDS_NOTHING
/* It is asked by everybody what there is: success, and nothing. */
#define FUNCTION(name) int name(void) { return 0; }
#else
#define FUNCTION(name) void name(void) { left_out(#name); }
#endif
#include "functions.h"
