/* version.h - what shardd and shardctl call themselves. */
#ifndef CORE_BASE_VERSION_H
#define CORE_BASE_VERSION_H

#ifndef SHARDD_VERSION
#define SHARDD_VERSION "0.1.0"
#endif

#endif
