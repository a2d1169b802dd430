/* version.h - what shardd calls itself. */
#ifndef WORKERS_VERSION_H
#define WORKERS_VERSION_H

#ifndef SHARDD_VERSION
#define SHARDD_VERSION "0.1.0"
#endif

#endif
